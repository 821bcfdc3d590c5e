package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
)

// Remove removes blobs, whole or partial, and the chunks that no other blob lists.
// Blobs that are leased or not here are passed over. It returns which were removed,
// and how many bytes that freed.
func (s *Store) Remove(ctx context.Context, blobs []api.Digest) (removed []api.Digest, freed int64, err error) {
	for _, d := range blobs {
		if err := ctx.Err(); err != nil {
			return removed, freed, err
		}
		done, n, err := s.remove(d)
		if err != nil {
			return removed, freed, fmt.Errorf("remove blob %s: %w", d.Short(), err)
		}
		if done {
			removed, freed = append(removed, d), freed+n
		}
	}
	return removed, freed, nil
}

func (s *Store) remove(d api.Digest) (done bool, freed int64, err error) {
	for _, ext := range []string{extWhole, extPart} {
		idx, err := s.index(d, ext)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return false, 0, err
		}
		s.mu.Lock()
		if s.leases[d] > 0 {
			s.mu.Unlock()
			return false, 0, nil
		}
		err = os.Remove(s.indexPath(d, ext))
		if err == nil && ext == extWhole {
			s.stats.Blobs--
		}
		before := s.stats.Bytes
		s.mu.Unlock()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, 0, err
		}
		if err := s.prune(idx); err != nil {
			return false, 0, err
		}
		return true, before - s.Stats().Bytes, nil
	}
	return false, 0, nil
}

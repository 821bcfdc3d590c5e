package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/realm-mesh/realm/api"
)

// Check re-reads the next n chunks whose digests come after the given one, and
// takes the damaged ones out of use. It returns the digest to go on after (zero:
// that was the last chunk), how many bytes it read, and which blobs it found
// damaged.
func (s *Store) Check(ctx context.Context, after api.Digest, n int) (next api.Digest, checked int64, damaged []api.Digest, err error) {
	err = s.eachFile(dirChunks, func(path, name string) error {
		d, err := api.ParseDigest(name)
		if err != nil || d.Compare(after) <= 0 {
			return nil
		}
		if n--; n < 0 {
			return errStop
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		next = d
		b, err := s.load(d, new(buffer))
		checked += int64(len(b))
		if errors.Is(err, ErrDamaged) {
			blobs, err := s.listing(d)
			damaged = append(damaged, blobs...)
			return err
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop):
		return next, checked, damaged, nil
	case err != nil:
		return after, checked, damaged, err
	}
	return api.Digest{}, checked, damaged, nil
}

// listing returns the partial blobs that list chunk d.
func (s *Store) listing(d api.Digest) (out []api.Digest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.eachIndex(func(path string, idx api.BlobIndex, whole bool) error {
		for _, c := range idx.Chunks {
			if c.SHA256 == d && filepath.Ext(path) == extPart {
				out = append(out, idx.SHA256)
				return nil
			}
		}
		return nil
	})
	return out, err
}

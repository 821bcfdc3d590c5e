package store

import (
	"context"
	"fmt"

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
		done, n, err := s.forget(d, true, extWhole, extLost, extPart)
		if done {
			removed, freed = append(removed, d), freed+n
		}
		if err != nil {
			return removed, freed, fmt.Errorf("remove blob %s: %w", d.Short(), err)
		}
	}
	return removed, freed, nil
}

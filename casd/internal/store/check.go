package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
)

// errStop ends a walk early.
var errStop = errors.New("stop")

// Check re-reads the next n chunks whose digests come after the given one, and
// takes the damaged ones out of use. It returns the digest to go on after (zero:
// that was the last chunk), how many bytes it read, and which blobs it found
// damaged.
func (s *Store) Check(ctx context.Context, after api.Digest, n int) (next api.Digest, checked int64, damaged []api.Digest, err error) {
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	var lost []api.Digest
	next = after
	for folder := int(after[0]); folder < 256 && err == nil; folder++ {
		err = s.eachFile(dirChunks, folder, func(path, name string) error {
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
			b, err := readChunk(path, d, buf[:])
			checked += int64(len(b))
			if errors.Is(err, ErrDamaged) {
				lost, err = append(lost, d), nil
			}
			return err
		})
	}
	switch {
	case err == nil:
		next = api.Digest{}
	case errors.Is(err, errStop):
		err = nil
	}
	damaged, e := s.lose(lost...)
	if err = errors.Join(err, e); err != nil {
		err = fmt.Errorf("check chunks: %w", err)
	}
	return next, checked, damaged, err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Put stores what r holds as a blob and returns once it is durable. It holds size
// bytes; -1: that is not known. A digest want other than zero must be that of the
// bytes, else [ErrMismatch]. After an error nothing of the blob is kept. Other
// errors: [disk.ErrFull], [api.ErrTooLarge], those of r.
func (s *Store) Put(ctx context.Context, r io.Reader, size int64, want api.Digest) (api.BlobInfo, error) {
	info, _, err := s.PutNew(ctx, r, size, want)
	return info, err
}

// PutNew is [Store.Put] that also says how many bytes were not here.
func (s *Store) PutNew(ctx context.Context, r io.Reader, size int64, want api.Digest) (info api.BlobInfo, fresh int64, err error) {
	if info, fresh, err = s.put(ctx, r, size, want); err != nil {
		return api.BlobInfo{}, 0, fmt.Errorf("put blob: %w", err)
	}
	return info, fresh, nil
}

func (s *Store) put(ctx context.Context, r io.Reader, size int64, want api.Digest) (info api.BlobInfo, fresh int64, err error) {
	if size > s.maxBlob {
		return info, 0, fmt.Errorf("%w: a blob has at most %d bytes", api.ErrTooLarge, s.maxBlob)
	}
	promised, err := s.promise(ctx, size)
	if err != nil {
		return info, 0, err
	}
	defer promised.Release()
	cutter, err := cut.For(size)
	if err != nil {
		return info, 0, err
	}
	in := &intake{store: s, room: promised, cutter: cutter, size: size}
	idx, err := in.run(ctx, r)
	if err == nil && !want.IsZero() && want != idx.SHA256 {
		err = fmt.Errorf("%w: they have %s", ErrMismatch, idx.SHA256)
	}
	if err != nil {
		return info, 0, errors.Join(err, in.undo())
	}
	return idx.BlobInfo, in.fresh.Load(), s.keep(ctx, idx)
}

// promise reserves room for a blob of size bytes. Where a small one does not fit, it may
// yet, for it may share chunks with others: then it is tried.
func (s *Store) promise(ctx context.Context, size int64) (*Reservation, error) {
	r, err := s.Reserve(ctx, max(size, 0))
	if errors.Is(err, disk.ErrFull) && size > 0 && size <= cut.ProgramLimit {
		return s.try(size, err), nil
	}
	return r, err
}

// keep makes a blob whole whose chunks have been claimed and placed.
func (s *Store) keep(ctx context.Context, idx api.BlobIndex) error {
	defer s.Lease(idx.SHA256)()
	has, err := s.Index(idx.SHA256)
	if err != nil || !slices.Equal(has.Chunks, idx.Chunks) {
		return s.publish(ctx, idx, extWhole)
	}
	// It was here. Chunks that were damaged have just been mended.
	s.Touch(idx.SHA256)
	err = s.sync(ctx, s.dirty.among(idx.Chunks))
	_, e := s.release(idx.Chunks)
	return errors.Join(err, e)
}

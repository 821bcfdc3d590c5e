package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
)

// errStop ends a walk early.
var errStop = errors.New("stop")

// Check re-reads the next n chunks whose digests come after the given one, and takes
// those out of use that are damaged or have vanished. It returns the digest to go on
// after (zero: that was the last chunk), how many bytes it read, and which blobs it
// found damaged.
func (s *Store) Check(ctx context.Context, after api.Digest, n int) (next api.Digest, checked int64, damaged []api.Digest, err error) {
	c := &check{store: s, after: after, next: after, left: n}
	for folder := int(after[0]); folder < len(s.chunks) && err == nil; folder++ {
		err = c.folder(ctx, folder)
	}
	switch {
	case err == nil:
		c.next = api.Digest{}
	case errors.Is(err, errStop):
		err = nil
	}
	damaged, e := s.lose(c.lost...)
	if err = errors.Join(err, e); err != nil {
		err = fmt.Errorf("check chunks: %w", err)
	}
	return c.next, c.read, damaged, err
}

// check is one call of [Store.Check].
type check struct {
	store       *Store
	after, next api.Digest
	left        int   // chunks that it may still read
	read        int64 // bytes
	lost        []api.Digest
}

// folder checks the chunks of one folder that come after c.after. errStop says that
// enough have been read.
func (c *check) folder(ctx context.Context, folder int) error {
	s := c.store
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	want, found := s.chunks[folder].countHere(), 0
	err := s.eachFile(dirChunks, folder, func(path, name string) error {
		d, ok := digestOf(name)
		if ok {
			found++
		}
		if !ok || d.Compare(c.after) <= 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.left--; c.left < 0 {
			return errStop
		}
		c.next = d
		b, err := readChunk(path, d, buf[:], unknown)
		c.read += int64(len(b))
		if errors.Is(err, ErrDamaged) {
			c.lost, err = append(c.lost, d), nil
		}
		return err
	})
	if err != nil || found >= want {
		return err
	}
	return c.vanished(folder)
}

// vanished looks for chunks of a folder that should be here and have no file.
func (c *check) vanished(folder int) error {
	return c.store.eachIndex(func(e entry) error {
		for _, chunk := range e.idx.Chunks {
			if d := chunk.SHA256; int(d[0]) == folder && c.store.chunks.here(d) {
				if _, err := os.Lstat(c.store.chunkPath(d)); errors.Is(err, fs.ErrNotExist) {
					c.lost = append(c.lost, d)
				}
			}
		}
		return nil
	})
}

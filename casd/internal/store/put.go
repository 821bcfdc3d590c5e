package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// putChunks is how many chunks of one put are hashed and written side by side.
const putChunks = 4

// shares is the size up to which a blob is likely to share chunks with others, such as
// earlier versions of a program.
const shares = 64 << 20

// Put stores what r holds as a blob and returns once it is durable. It holds size
// bytes; -1: that is not known. A digest
// want other than zero must be that of the bytes, else [ErrMismatch]. After an
// error nothing of the blob is kept. Other errors: [disk.ErrFull],
// [api.ErrTooLarge], those of r.
func (s *Store) Put(ctx context.Context, r io.Reader, size int64, want api.Digest) (api.BlobInfo, error) {
	info, err := s.put(ctx, r, size, want)
	if err != nil {
		return api.BlobInfo{}, fmt.Errorf("put blob: %w", err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, r io.Reader, size int64, want api.Digest) (api.BlobInfo, error) {
	promised, err := s.promise(ctx, size)
	if err != nil {
		return api.BlobInfo{}, err
	}
	defer promised.Release()
	c := &cut{store: s, room: promised, dir: s.tempPath(), seen: map[api.Digest]bool{}}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return api.BlobInfo{}, err
	}
	defer os.RemoveAll(c.dir)
	idx, err := c.run(ctx, r)
	if err != nil {
		return api.BlobInfo{}, err
	}
	if !want.IsZero() && want != idx.SHA256 {
		return api.BlobInfo{}, fmt.Errorf("%w: they have %s", ErrMismatch, idx.SHA256)
	}
	for _, d := range c.staged {
		if err := s.place(c.path(d), d, promised); err != nil {
			return api.BlobInfo{}, errors.Join(err, s.prune(idx))
		}
	}
	if err := s.publish(idx); err != nil {
		return api.BlobInfo{}, errors.Join(err, s.prune(idx))
	}
	return idx.BlobInfo, nil
}

// promise reserves room for a blob of size bytes. Where a small one does not fit, it may
// yet, for it may share chunks with others: then room is reserved chunk by chunk.
func (s *Store) promise(ctx context.Context, size int64) (*Reservation, error) {
	r, err := s.Reserve(ctx, max(size, 0))
	if errors.Is(err, disk.ErrFull) && size <= shares {
		return s.Reserve(ctx, 0)
	}
	return r, err
}

// cut is one put on its way: chunks that the store lacks are staged in a folder
// of its own under tmp.
type cut struct {
	store *Store
	room  *Reservation
	dir   string

	mu     sync.Mutex
	seen   map[api.Digest]bool
	staged []api.Digest
}

func (c *cut) path(d api.Digest) string { return filepath.Join(c.dir, d.String()) }

// run reads r to its end and stages it. The digest of the whole is made here, in
// order; that of each chunk, and the writing, beside it.
func (c *cut) run(ctx context.Context, r io.Reader) (api.BlobIndex, error) {
	whole := sha256.New()
	var chunks []*api.BlobInfo
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(putChunks)
	var err error
	for err == nil && working.Err() == nil {
		buf := c.store.buffers.Get().(*buffer)
		var n int
		if n, err = fill(r, buf[:]); n == 0 {
			c.store.buffers.Put(buf)
			break
		}
		if len(chunks) == c.store.maxChunks {
			err = fmt.Errorf("%w: a blob has at most %d bytes", api.ErrTooLarge, int64(c.store.maxChunks)*api.MaxChunk)
			break
		}
		whole.Write(buf[:n])
		info := &api.BlobInfo{Size: int64(n)}
		chunks = append(chunks, info)
		g.Go(func() error {
			defer c.store.buffers.Put(buf)
			return task.Guard(working, func(working context.Context) error { return c.stage(working, info, buf[:n]) })
		})
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err := errors.Join(g.Wait(), err, ctx.Err()); err != nil {
		return api.BlobIndex{}, err
	}
	return index(api.Digest(whole.Sum(nil)), chunks), nil
}

func index(d api.Digest, chunks []*api.BlobInfo) api.BlobIndex {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: d}, Chunks: make([]api.BlobInfo, len(chunks))}
	for i, c := range chunks {
		idx.Chunks[i] = *c
		idx.Size += c.Size
	}
	return idx
}

// fill reads until b is full or r ends. The end is [io.EOF] and nothing else:
// [io.ErrUnexpectedEOF] is how an HTTP body tells that its sender went away.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// stage names a chunk and writes it, unless the store or this put has it already.
func (c *cut) stage(ctx context.Context, info *api.BlobInfo, b []byte) error {
	info.SHA256 = api.Sum(b)
	if c.claim(info.SHA256) || c.store.holds(info.SHA256, b) {
		c.room.Give(info.Size)
		return nil
	}
	if err := c.room.write(ctx, c.path(info.SHA256), b); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.staged = append(c.staged, info.SHA256)
	return nil
}

// claim reports whether d was claimed before.
func (c *cut) claim(d api.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.seen[d]
	c.seen[d] = true
	return before
}

package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// maxTakers is how many chunks of one put are named and written at a time, at most.
const maxTakers = 8

// intake is one put on its way: one goroutine reads and cuts, one makes the digest of
// the whole, in order, and some name and write chunks. The slabs between them bound
// its memory.
type intake struct {
	store  *Store
	room   *Reservation
	cutter *cut.Cutter
	size   int64 // as announced; -1: not known

	chunks []*api.BlobInfo // in order; without digest until it is claimed
	total  int64
	fresh  atomic.Int64 // bytes of chunks that were not here
	free   chan *slab   // that nobody uses
	slabs  int          // taken so far
}

// run reads r to its end and writes what the store lacks. The chunks that it returns
// are claimed; after an error, undo gives back what was.
func (in *intake) run(ctx context.Context, r io.Reader) (api.BlobIndex, error) {
	in.free = make(chan *slab, maxSlabs)
	chunks, order := make(chan piece), make(chan piece, maxSlabs)
	whole := sha256.New()
	g, ctx := errgroup.WithContext(ctx)
	start := func(fn func(context.Context) error) { g.Go(func() error { return task.Guard(ctx, fn) }) }
	start(func(ctx context.Context) error {
		defer close(order)
		defer close(chunks)
		return in.read(ctx, r, order, chunks)
	})
	start(func(context.Context) error {
		for p := range order {
			whole.Write(p.bytes())
			in.done(p.slab)
		}
		return nil
	})
	for range in.takers() {
		start(func(ctx context.Context) error {
			for p := range chunks {
				if err := in.take(ctx, p.info, p.bytes()); err != nil {
					return err
				}
				in.done(p.slab)
			}
			return nil
		})
	}
	err := g.Wait()
	in.giveBack()
	if err != nil {
		return api.BlobIndex{}, err
	}
	return in.index(api.Digest(whole.Sum(nil))), nil
}

// takers is how many goroutines name and write chunks.
func (in *intake) takers() int {
	if in.room.serial() {
		return 1
	}
	return min(2*runtime.GOMAXPROCS(0), maxTakers) // some wait for the disk
}

// read fills slab after slab and cuts them.
func (in *intake) read(ctx context.Context, r io.Reader, order, chunks chan<- piece) error {
	cur, err := in.slab(ctx)
	if err != nil {
		return err
	}
	from, to := 0, 0 // of cur, what is not cut yet
	for {
		n, err := fill(ctx, r, cur.buf[to:])
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		if err := in.grow(int64(n), last); err != nil {
			return err
		}
		if err := send(ctx, order, piece{cur, to, to + n, nil}); err != nil {
			return err
		}
		to += n
		for to-from >= in.cutter.Max() || last && to > from {
			end := from + in.cutter.Next(cur.buf[from:to])
			info := &api.BlobInfo{Size: int64(end - from)}
			in.chunks = append(in.chunks, info)
			if err := send(ctx, chunks, piece{cur, from, end, info}); err != nil {
				return err
			}
			from = end
		}
		if last {
			in.done(cur)
			return nil
		}
		next, err := in.slab(ctx)
		if err != nil {
			return err
		}
		to = copy(next.buf[:], cur.buf[from:to])
		in.done(cur)
		cur, from = next, 0
	}
}

// grow counts n more bytes and looks whether there are as many as were announced.
func (in *intake) grow(n int64, last bool) error {
	in.total += n
	switch {
	case in.total > in.store.maxBlob:
		return fmt.Errorf("%w: a blob has at most %d bytes", api.ErrTooLarge, in.store.maxBlob)
	case in.size >= 0 && in.total > in.size, in.size >= 0 && last && in.total < in.size:
		return fmt.Errorf("%w: %d bytes were announced, %d or more came", ErrMismatch, in.size, in.total)
	}
	return nil
}

// fill reads until b is full or r ends. The end is [io.EOF] and nothing else:
// [io.ErrUnexpectedEOF] is how an HTTP body tells that its sender went away.
func fill(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

func (in *intake) index(d api.Digest) api.BlobIndex {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: d, Size: in.total}, Chunks: make([]api.BlobInfo, len(in.chunks))}
	for i, c := range in.chunks {
		idx.Chunks[i] = *c
	}
	return idx
}

// undo gives back what was claimed; run has ended.
func (in *intake) undo() error {
	var claimed []api.BlobInfo
	for _, c := range in.chunks {
		if !c.SHA256.IsZero() {
			claimed = append(claimed, *c)
		}
	}
	_, err := in.store.release(claimed)
	return err
}

// take claims a chunk, and writes it unless it is here.
func (in *intake) take(ctx context.Context, info *api.BlobInfo, b []byte) error {
	s := in.store
	c := api.BlobInfo{SHA256: api.Sum(b), Size: info.Size}
	listed := s.chunks.claim(c)
	info.SHA256 = c.SHA256
	if listed && s.holds(c.SHA256, b) {
		in.room.Give(c.Size)
		return nil
	}
	in.fresh.Add(c.Size)
	return s.writeChunk(ctx, c, b, in.room)
}

// writeChunk writes a chunk that somebody has listed, out of r. It may be synced later
// than it is here.
func (s *Store) writeChunk(ctx context.Context, c api.BlobInfo, b []byte, r *Reservation) error {
	if err := r.stage(ctx, c.Size); err != nil {
		return err
	}
	var n draft
	err := s.making(ctx, func() (err error) { n, err = s.newDraft(c.SHA256, b); return err })
	if err != nil {
		return err
	}
	if err := errors.Join(s.place(n, c, r), n.drop()); err != nil {
		return err
	}
	if s.dirty.len() > maxDirty {
		return s.settleAll(ctx)
	}
	return nil
}

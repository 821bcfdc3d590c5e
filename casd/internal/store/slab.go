package store

import (
	"context"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
)

const (
	slabSize = 2 * api.MaxChunk
	// ownSlabs is how many slabs a put may always take, maxSlabs how many in all.
	ownSlabs = 2
	maxSlabs = 6
)

// slab holds a stretch of a blob that is being put, while the parts of the intake
// work on it.
type slab struct {
	buf   [slabSize]byte
	users atomic.Int32
}

// piece is a part of a slab. Its holder is one of the slab's users.
type piece struct {
	slab     *slab
	from, to int
	info     *api.BlobInfo // for a chunk: what it becomes in the index
}

func (p piece) bytes() []byte { return p.slab.buf[p.from:p.to] }

// send hands p over, whose slab has one more user from now on.
func send(ctx context.Context, to chan<- piece, p piece) error {
	p.slab.users.Add(1)
	select {
	case to <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slab returns a slab with one user, the caller, when there is one.
func (in *intake) slab(ctx context.Context) (*slab, error) {
	select {
	case sl := <-in.free:
		sl.users.Store(1)
		return sl, nil
	default:
	}
	if in.slabs < ownSlabs || in.slabs < maxSlabs && in.store.spare.take(slabSize/api.MaxChunk) {
		in.slabs++
		sl := in.store.slabs.Get().(*slab)
		sl.users.Store(1)
		return sl, nil
	}
	select {
	case sl := <-in.free:
		sl.users.Store(1)
		return sl, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// done ends one use of a slab.
func (in *intake) done(sl *slab) {
	if sl.users.Add(-1) == 0 {
		in.free <- sl // it has room for all
	}
}

// giveBack returns the slabs that nobody uses any more; others, after an error, are
// left to the garbage collector.
func (in *intake) giveBack() {
	in.store.spare.give(int64(max(in.slabs-ownSlabs, 0)) * slabSize / api.MaxChunk)
	for {
		select {
		case sl := <-in.free:
			in.store.slabs.Put(sl)
		default:
			return
		}
	}
}

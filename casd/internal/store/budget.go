package store

import "sync/atomic"

// spareBuffers is how many buffers of [api.MaxChunk] all puts and readers may hold
// beyond the first ones that each needs: they make one fast while it is alone.
const spareBuffers = 24

// budget hands out a fixed number of things to whoever asks first.
type budget struct{ left atomic.Int64 }

// take takes n, or nothing.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *budget) give(n int64) { b.left.Add(n) }

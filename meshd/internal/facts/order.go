package facts

import "github.com/realm-mesh/realm/api"

// order is what is known of the order of one author's batches. Gossip brings them by
// several ways, so that one may overtake another; what an older one says counts where
// no newer one has spoken of the same.
type order struct {
	epoch int64 // of the last batch
	seen  window
	full  uint64             // the newest batch that was full
	peer  uint64             // the one that has spoken of the author itself last
	last  map[api.Ref]uint64 // likewise of each workload, where it was after full
}

// fresh reports whether b has anything to say. A full batch takes no suspicion back: if
// some heard of one and others did not, its member might not refute what others believe.
func (o *order) fresh(b *api.FactBatch) bool {
	return b.Epoch > o.epoch || b.Epoch == o.epoch && (b.Seq > o.full || len(b.Suspects) > 0) && o.seen.fresh(b.Seq)
}

// take notes that b was merged, as the first of its epoch if that is another one.
func (o *order) take(b *api.FactBatch) {
	if b.Epoch != o.epoch {
		*o = order{epoch: b.Epoch}
	}
	o.seen.take(b.Seq)
}

// speaks reports whether b is the newest one to speak of r, and takes note of it.
func (o *order) speaks(b *api.FactBatch, r api.Ref) bool {
	if b.Seq < o.last[r] {
		return false
	}
	if o.last == nil {
		o.last = map[api.Ref]uint64{}
	}
	o.last[r] = b.Seq
	return true
}

// completes takes note of a full batch: older ones have nothing to say any more.
func (o *order) completes(b *api.FactBatch) {
	o.full = b.Seq
	for r, seq := range o.last {
		if seq <= o.full {
			delete(o.last, r)
		}
	}
}

// windowSize is how far a batch may be behind the newest one of its author.
const windowSize = 512

// window knows which of the last numbers were taken, each once: the sliding window of
// RFC 4303, appendix A2. The zero window has taken none.
type window struct {
	top  uint64
	bits [windowSize / 64]uint64
}

// fresh reports whether n was not taken, as far as is remembered.
func (w *window) fresh(n uint64) bool {
	return n > w.top || w.top-n < windowSize && w.bits[n%windowSize/64]>>(n%64)&1 == 0
}

func (w *window) take(n uint64) {
	if n > w.top && n-w.top >= windowSize {
		w.bits, w.top = [windowSize / 64]uint64{}, n
	}
	for w.top < n {
		w.top++
		w.bits[w.top%windowSize/64] &^= 1 << (w.top % 64)
	}
	w.bits[n%windowSize/64] |= 1 << (n % 64)
}

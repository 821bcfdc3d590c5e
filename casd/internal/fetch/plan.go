package fetch

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
)

// plan says which chunk is to be asked of whom. It does no I/O, knows no lock, and
// gets the time from outside.
//
// Sources are of two kinds. A *seed* had the whole blob when it was met; a *helper*
// had not: it is most likely fetching as well, and can pass on what it gets. Seeds
// are asked for what no helper has or fetches, so that together the fetchers take
// each chunk from the seeds about once, and the rest from each other. They divide it up
// by lot ([plan.mine]).
type plan struct {
	idx     api.BlobIndex
	chunks  []chunk // by number
	open    []int32 // those that are neither here nor asked for, in random order
	absent  int     // chunks that are not here
	left    int64   // their bytes
	offers  []*offer
	pace    time.Duration // how long a batch takes lately
	busyFor time.Duration // see [Config]
	lot     uint64        // this node's, see [api.Have]
	// stretch is how many chunks that stand side by side go together: 1 unless they are
	// small.
	stretch int32
	random  *rand.Rand
	tell    func(event) // of what changes
}

// chunk is what is known of one. Of those that the index lists several times only the
// first counts.
type chunk struct {
	here    bool
	place   int32 // in open; -1: not there
	helpers int32 // that have it
	busy    int32 // members that fetch it
	busyAt  time.Time
	asks    []*batch
}

// offer is what a source can be asked for. It can leave and join again.
type offer struct {
	plan   *plan
	has    bits
	helper bool
	lot    uint64 // 0: it does not fetch the blob
	idle   bool   // a helper that fetches nothing any more
	in     bool   // it is among the offers
	joined time.Time
	meter  meter
	fresh  []int32 // a helper's: what it has that was open when that became known, newest last
	busy   map[int32]bool
	asked  []*batch
	upTo   int32 // behind the last chunk that a seed was asked for
}

// batch is chunks that are asked of a source together.
type batch struct {
	from   *offer
	chunks []int32
	next   int   // of chunks: the one to come
	left   int64 // bytes to come
	sent   bool  // it has been asked for; till then it waits for its turn
	began  time.Time
	moved  time.Time // when a chunk came last, or it was asked for
	wanted int       // chunks to come that have not come from somewhere else
	cancel context.CancelCauseFunc
}

// event is a change that other members are told of.
type event struct {
	kind  eventKind
	chunk int32
}

type eventKind uint8

const (
	eventGot eventKind = iota
	eventBusy
	eventIdle
)

// A stretch has the size of a large chunk, and a small blob is still divided among many.
const (
	stretchSize = 512 << 10
	stretches   = 256
)

func stretch(idx api.BlobIndex) int32 {
	n := int64(len(idx.Chunks))
	if n == 0 || idx.Size > cut.ProgramLimit {
		return 1
	}
	return int32(max(1, min(n/stretches, stretchSize*n/max(idx.Size, 1)))) //nolint:gosec // at most api.MaxChunks
}

// newPlan plans for the chunks of idx that are missing.
func newPlan(idx api.BlobIndex, missing []api.BlobInfo, lot uint64, random *rand.Rand, tell func(event)) *plan {
	p := &plan{lot: lot, busyFor: busyPatience, idx: idx, stretch: stretch(idx), chunks: make([]chunk, len(idx.Chunks)), random: random, tell: tell}
	for i := range p.chunks {
		p.chunks[i] = chunk{here: true, place: -1}
	}
	p.reopen(missing)
	return p
}

// reopen takes chunks for missing that are, or turn out to be. None may be asked for.
func (p *plan) reopen(missing []api.BlobInfo) {
	lacks := make(map[api.Digest]bool, len(missing))
	for _, m := range missing {
		lacks[m.SHA256] = true
	}
	for i, info := range p.idx.Chunks {
		if !lacks[info.SHA256] || !p.chunks[i].here {
			continue
		}
		delete(lacks, info.SHA256) // only the first place of each counts
		c := int32(i)              //nolint:gosec // at most api.MaxChunks
		p.chunks[c].here = false
		p.absent++
		p.left += p.size(c)
		p.opened(c)
	}
	p.random.Shuffle(len(p.open), func(i, j int) {
		p.open[i], p.open[j] = p.open[j], p.open[i]
		p.chunks[p.open[i]].place, p.chunks[p.open[j]].place = int32(i), int32(j) //nolint:gosec // at most api.MaxChunks
	})
}

func (p *plan) size(c int32) int64 { return p.idx.Chunks[c].Size }

// program reports whether the blob may be one, by its size.
func (p *plan) program() bool { return p.idx.Size <= cut.ProgramLimit }

// opened takes note that nobody is asked for c any more, or yet.
func (p *plan) opened(c int32) {
	p.chunks[c].place = int32(len(p.open)) //nolint:gosec // at most api.MaxChunks
	p.open = append(p.open, c)
	for _, o := range p.offers {
		if o.helper && o.has.get(c) && !slices.Contains(o.fresh, c) {
			o.fresh = append(o.fresh, c)
		}
	}
}

func (p *plan) closed(c int32) {
	i, last := p.chunks[c].place, p.open[len(p.open)-1]
	p.open[i] = last
	p.chunks[last].place = i
	p.chunks[c].place = -1
	p.open = p.open[:len(p.open)-1]
}

// join has o, which is not in, asked from now on.
func (p *plan) join(o *offer, now time.Time) {
	o.in, o.idle, o.joined, o.fresh, o.busy = true, false, now, nil, map[int32]bool{}
	p.offers = append(p.offers, o)
	if !o.helper {
		return
	}
	for c := range int32(len(p.chunks)) { //nolint:gosec // at most api.MaxChunks
		if o.has.get(c) {
			p.chunks[c].helpers++
			if p.chunks[c].place >= 0 {
				o.fresh = append(o.fresh, c)
			}
		}
	}
	p.random.Shuffle(len(o.fresh), func(i, j int) { o.fresh[i], o.fresh[j] = o.fresh[j], o.fresh[i] })
}

// leave has o asked no more.
func (p *plan) leave(o *offer) {
	if !o.in {
		return
	}
	o.in = false
	p.offers = slices.DeleteFunc(p.offers, func(other *offer) bool { return other == o })
	p.lazy(o)
	if !o.helper {
		return
	}
	for c := range int32(len(p.chunks)) { //nolint:gosec // at most api.MaxChunks
		if o.has.get(c) {
			p.chunks[c].helpers--
		}
	}
}

// got takes note that o has c now.
func (p *plan) got(o *offer, c int32) {
	p.idle(o, c)
	if !o.in || o.has.get(c) {
		return
	}
	o.has.set(c)
	if !o.helper {
		return
	}
	p.chunks[c].helpers++
	if p.chunks[c].place >= 0 {
		o.fresh = append(o.fresh, c)
	}
}

// lost takes note that o lacks c after all.
func (p *plan) lost(o *offer, c int32) {
	if !o.in || !o.has.get(c) {
		return
	}
	o.has.clear(c)
	if o.helper {
		p.chunks[c].helpers--
	}
}

// works takes note that o has begun to fetch c itself.
func (p *plan) works(o *offer, c int32, now time.Time) {
	if !o.in || o.busy[c] || o.has.get(c) {
		return
	}
	o.busy[c] = true
	p.chunks[c].busy++
	p.chunks[c].busyAt = now
}

// idle takes note that o does not fetch c any more.
func (p *plan) idle(o *offer, c int32) {
	if o.busy[c] {
		delete(o.busy, c)
		p.chunks[c].busy--
	}
}

// lazy takes note that o fetches nothing any more.
func (p *plan) lazy(o *offer) {
	o.idle = true
	for c := range o.busy {
		p.idle(o, c)
	}
}

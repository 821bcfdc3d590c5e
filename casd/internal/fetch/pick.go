package fetch

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	// window is among how many chunks that a helper has the rarest are looked for.
	window = 1024
	// relief is how much faster than all helpers a seed has to be to be asked for what
	// these have, too.
	relief = 2
	// A chunk is asked of one more member when that one needs less than a part of the
	// time that the other still does, and some time is saved.
	overtakes   = 2
	overtakeMin = 250 * time.Millisecond
	// asksAtOnce is of how many members a chunk may be asked at once.
	asksAtOnce = 3
)

// Patience with members that are silent: so long, or so many times what a batch takes
// lately if that is more, as on a slow line or a busy machine.
const (
	chance       = 2 * time.Second // with one that has been asked, or has just come
	busyPatience = 3 * time.Second // with one that fetches a chunk which others want, too
	paces        = 4
	paceOver     = 8 // batches that the pace is about
)

// patient is least, or more where everything takes long.
func (p *plan) patient(least time.Duration) time.Duration { return max(least, paces*p.pace) }

// pick sets chunks of about most bytes, one at least, aside for o, which is in. It
// returns nil when there is nothing to ask it for now.
func (p *plan) pick(o *offer, most int64, now time.Time) *batch {
	take := p.choose(o, most, now)
	if len(take.chunks) == 0 {
		return nil
	}
	if p.stretch > 1 {
		slices.Sort(take.chunks) // side by side they pack better
		o.upTo = take.chunks[len(take.chunks)-1] + 1
	}
	b := &batch{from: o, chunks: take.chunks, left: take.bytes, wanted: len(take.chunks)}
	for _, c := range b.chunks {
		if len(p.chunks[c].asks) == 0 {
			p.closed(c)
			p.tell(event{eventBusy, c})
		}
		p.chunks[c].asks = append(p.chunks[c].asks, b)
	}
	o.asked = append(o.asked, b)
	return b
}

// sends takes note that b is asked for from now on.
func (p *plan) sends(b *batch, now time.Time) {
	b.sent, b.began, b.moved = true, now, now
	b.from.meter.begin(now)
}

// wants reports whether o has a chunk that is not here.
func (p *plan) wants(o *offer) bool {
	for c := range p.chunks {
		if !p.chunks[c].here && o.has.get(int32(c)) { //nolint:gosec // at most api.MaxChunks
			return true
		}
	}
	return false
}

// choose finds what to ask o for, of about most bytes.
func (p *plan) choose(o *offer, most int64, now time.Time) *portion {
	take := &portion{plan: p, most: most}
	if o.helper {
		p.rarest(o, take)
	} else {
		p.unspread(o, take, now)
		if len(take.chunks) == 0 && p.relieves(o, now) {
			p.spread(o, take)
		}
	}
	if len(take.chunks) == 0 {
		p.overtake(o, take, now)
	}
	return take
}

// portion collects chunks.
type portion struct {
	plan   *plan
	most   int64
	chunks []int32
	bytes  int64
}

// add takes c if it fits in, and reports whether there may be room for more.
func (t *portion) add(c int32) bool {
	n := t.plan.size(c)
	if len(t.chunks) > 0 && t.bytes+n > t.most {
		return false
	}
	t.chunks = append(t.chunks, c)
	t.bytes += n
	return t.bytes < t.most && len(t.chunks) < api.MaxChunksRequest
}

// all takes as many of some chunks as fit in.
func (t *portion) all(some []int32) {
	for _, c := range some {
		if !t.add(c) {
			return
		}
	}
}

// unspread takes chunks that no helper has or is busy with: of those that are this
// node's to take from seeds, else of all.
func (p *plan) unspread(o *offer, take *portion, now time.Time) {
	taken := func(c int32) bool {
		k := &p.chunks[c]
		return k.helpers > 0 || k.busy > 0 && now.Sub(k.busyAt) < p.patient(p.busyFor)
	}
	each := p.eachOpen
	if p.stretch > 1 {
		each = p.eachInOrder
	}
	each(o, func(c int32) bool { return taken(c) || !p.mine(c) || take.add(c) })
	if len(take.chunks) == 0 {
		// Whoever these are left to is slow, or is about to ask for them.
		take.most = min(take.most, leastBatch)
		p.eachOpen(o, func(c int32) bool { return taken(c) || take.add(c) })
	}
}

// mine reports whether c is this node's to take from a seed: its lot comes first among
// those of all that fetch the blob, in an order that is another one for each stretch.
func (p *plan) mine(c int32) bool {
	own := rank(p.lot, c/p.stretch)
	for _, o := range p.offers {
		if o.helper && o.lot != 0 && !o.idle && rank(o.lot, c/p.stretch) > own {
			return false
		}
	}
	return true
}

// rank is a number that looks random (the finalizer of SplitMix64: G. Steele, D. Lea,
// C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
func rank(lot uint64, c int32) uint64 {
	z := lot + uint64(uint32(c))*0x9e3779b97f4a7c15 //nolint:gosec // at most api.MaxChunks
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// spread takes chunks that helpers have.
func (p *plan) spread(o *offer, take *portion) {
	p.eachOpen(o, func(c int32) bool { return p.chunks[c].helpers == 0 || take.add(c) })
}

// eachOpen calls fn for open chunks that o has, until it returns false.
func (p *plan) eachOpen(o *offer, fn func(c int32) bool) {
	if len(p.open) == 0 {
		return
	}
	start := p.random.IntN(len(p.open))
	for i := range p.open {
		c := p.open[(start+i)%len(p.open)]
		if o.has.get(c) && !fn(c) {
			return
		}
	}
}

// eachInOrder is eachOpen from where o was asked last, or anywhere, in the order of the
// blob.
func (p *plan) eachInOrder(o *offer, fn func(c int32) bool) {
	n := int32(len(p.chunks)) //nolint:gosec // at most api.MaxChunks
	start := o.upTo
	if start == 0 || start >= n {
		start = p.random.Int32N(n)
		start -= start % p.stretch
	}
	for i := range n {
		c := (start + i) % n
		if p.chunks[c].place >= 0 && o.has.get(c) && !fn(c) {
			return
		}
	}
}

// relieves reports whether o, a seed, is to be asked for what helpers have: these are
// so slow that it does not pay to spare it.
func (p *plan) relieves(o *offer, now time.Time) bool {
	helpers := 0.0
	for _, h := range p.offers {
		if !h.helper || len(h.asked) == 0 && len(p.recent(h)) == 0 {
			continue
		}
		if !h.meter.steady(now) {
			return false // it has something, so it is asked, and it shows soon
		}
		r, _ := h.meter.rate(now)
		helpers += r
	}
	own, known := o.meter.rate(now)
	if !known {
		return now.Sub(o.joined) > p.patient(chance) // to find out
	}
	return own > relief*helpers
}

// rarest takes of the open chunks that a helper has those that the fewest have.
func (p *plan) rarest(o *offer, take *portion) {
	some := slices.Clone(p.recent(o))
	p.random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	slices.SortStableFunc(some, func(a, b int32) int { return cmp.Compare(p.chunks[a].helpers, p.chunks[b].helpers) })
	take.all(some)
}

// recent returns open chunks that o has, of those that it got last, and forgets those
// among them that are open no longer.
func (p *plan) recent(o *offer) []int32 {
	for len(o.fresh) > 0 {
		from := max(0, len(o.fresh)-window)
		some := slices.DeleteFunc(o.fresh[from:], func(c int32) bool { return p.chunks[c].place < 0 || !o.has.get(c) })
		o.fresh = o.fresh[:from+len(some)]
		if len(some) > 0 {
			return some
		}
	}
	return nil
}

// overtake takes chunks that others are asked for, and will send much later than o
// would.
func (p *plan) overtake(o *offer, take *portion, now time.Time) {
	own, known := o.meter.rate(now)
	for _, other := range p.offers {
		if other == o {
			continue
		}
		for _, b := range other.asked {
			if !p.passes(o, b, own, known, take, now) {
				return
			}
		}
	}
}

// passes takes chunks of b for o, whose own rate may be known, and reports whether
// there may be room for more.
func (p *plan) passes(o *offer, b *batch, own float64, known bool, take *portion, now time.Time) bool {
	rate, measured := b.from.meter.rate(now)
	stuck := now.Sub(b.moved) > p.patient(chance)
	if !b.sent || !stuck && (!measured || !known) {
		return true
	}
	ahead := b.left // bytes, up to and with the chunk that is looked at; from the end
	for _, c := range slices.Backward(b.chunks[b.next:]) {
		k := &p.chunks[c]
		theirs := float64(ahead) / rate
		ours := float64(p.size(c)) / own
		ahead -= p.size(c)
		switch {
		case k.here || !o.has.get(c) || len(k.asks) >= asksAtOnce || asks(k, o) || slices.Contains(take.chunks, c):
		case !stuck && theirs < overtakes*ours+overtakeMin.Seconds():
			return true // earlier ones come sooner still
		case !take.add(c):
			return false
		}
	}
	return true
}

func asks(k *chunk, o *offer) bool {
	return slices.ContainsFunc(k.asks, func(b *batch) bool { return b.from == o })
}

// came takes note that the next chunk of b has come, or that its member lacks it
// (lacks), and reports whether it was here already. Batches of others that are of no
// use any more are ended with why.
func (p *plan) came(b *batch, lacks bool, why error, now time.Time) (again bool) {
	c := b.chunks[b.next]
	k := &p.chunks[c]
	n := p.size(c)
	b.next++
	b.left -= n
	b.moved = now
	if again = k.here; !again {
		b.wanted--
	}
	k.asks = without(k.asks, b)
	if lacks {
		p.lost(b.from, c)
		p.reopened(c)
		return again
	}
	b.from.meter.add(now, int(n))
	if !again {
		p.landed(c, why)
	}
	return again
}

// landed takes note that c is here.
func (p *plan) landed(c int32, why error) {
	k := &p.chunks[c]
	k.here = true
	p.absent--
	p.left -= p.size(c)
	p.tell(event{eventGot, c})
	for _, other := range k.asks {
		if other.wanted--; other.wanted == 0 {
			other.cancel(why)
		}
	}
}

// reopened has c asked of somebody else, unless somebody is asked already.
func (p *plan) reopened(c int32) {
	if k := &p.chunks[c]; !k.here && len(k.asks) == 0 && k.place < 0 {
		p.opened(c)
		p.tell(event{eventIdle, c})
	}
}

// over takes note that b has ended: what has not come of it is to be asked for anew.
func (p *plan) over(b *batch, now time.Time) {
	if b.sent {
		b.from.meter.end(now)
	}
	if b.next == len(b.chunks) {
		p.pace += (now.Sub(b.began) - p.pace) / paceOver
	}
	b.from.asked = without(b.from.asked, b)
	for _, c := range b.chunks[b.next:] {
		p.chunks[c].asks = without(p.chunks[c].asks, b)
		p.reopened(c)
	}
	b.next = len(b.chunks)
}

func without(list []*batch, b *batch) []*batch {
	i := slices.Index(list, b)
	if i < 0 {
		return list
	}
	return slices.Delete(list, i, i+1)
}

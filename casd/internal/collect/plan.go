package collect

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// class is what may happen to a blob.
type class int

const (
	idle  class = iota // nobody needs it: it may go
	spare              // the realm needs it, but not here: it may go where others have it
	held               // it stays
)

// candidate is a blob that may go.
type candidate struct {
	api.BlobInfo
	class class
	has   int64 // bytes that are here
	used  time.Time
}

// plan is what may go, the least recently used first.
type plan struct {
	idle, spare []candidate
	sums        sums
	damaged     int64 // blobs, of any class
}

// sums are bytes by class, as if no chunk were shared.
type sums struct{ held, idle, spare int64 }

// with is p with these of its spare blobs alone.
func (p plan) with(spare []candidate) plan {
	p.sums.held += p.sums.spare
	p.sums.spare = 0
	for _, b := range spare {
		p.sums.held -= b.has
		p.sums.spare += b.has
	}
	p.spare = spare
	return p
}

// classify says what may happen to a blob now.
func (c *Collector) classify(d api.Digest) class {
	switch {
	case !c.refs.Known(), c.pins.Has(d), c.store.Leased(d), c.refs.NeededHere(d):
		return held
	case c.refs.Needed(d):
		return spare
	}
	return idle
}

func (c *Collector) plan() (plan, error) {
	var p plan
	err := c.store.Records(func(r store.Record) error {
		if r.Damaged {
			p.damaged++
		}
		b := candidate{r.BlobInfo, c.classify(r.SHA256), r.Has, r.Used}
		switch b.class {
		case idle:
			p.idle = append(p.idle, b)
			p.sums.idle += b.has
		case spare:
			p.spare = append(p.spare, b)
			p.sums.spare += b.has
		default:
			p.sums.held += b.has
		}
		return nil
	})
	order := func(a, b candidate) int { return cmp.Or(a.used.Compare(b.used), a.SHA256.Compare(b.SHA256)) }
	slices.SortFunc(p.idle, order)
	slices.SortFunc(p.spare, order)
	return p, err
}

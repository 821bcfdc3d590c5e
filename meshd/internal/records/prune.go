package records

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// group is records of which only the newest are kept.
type group struct {
	root api.Digest
	run  api.RunKey // "": all runs of a recurring job
}

// Prune removes what is not to be kept: see the package. known says of a job whether its
// intent is held, and of which type it is.
func (s *Shelf) Prune(now time.Time, known func(root api.Digest) (api.JobType, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.gone, func(root api.Digest, at time.Time) bool {
		_, back := known(root)
		return back || now.Sub(at) > Remember
	})
	groups := map[group][]*held{}
	var orphans []*held
	for _, h := range s.all {
		kind, ok := known(h.rec.Root)
		if !ok {
			orphans = append(orphans, h)
			continue
		}
		if !h.orphan.IsZero() { // its blobs are needed again
			h.orphan = time.Time{}
			s.blobs++
		}
		switch kind {
		case api.JobRecurring:
			g := group{root: h.rec.Root}
			groups[g] = append(groups[g], h)
		case api.JobService:
			g := group{h.rec.Root, h.rec.Run}
			groups[g] = append(groups[g], h)
		}
	}
	s.orphaned(orphans, now)
	clear(s.floors)
	for g, list := range groups {
		s.thin(g, list)
	}
}

// orphaned removes records whose jobs have been missing for long, and has none of them
// come back from members that look at theirs later. What goes on of a job whose time is
// over may do so, for as long as it is known that there was such a job; s.mu is held.
func (s *Shelf) orphaned(all []*held, now time.Time) {
	for _, h := range all {
		if h.orphan.IsZero() {
			h.orphan = now
			s.blobs++
		}
		if !h.rec.State.Ended() && now.Sub(h.orphan) <= Remember {
			s.going[h.rec.Root] = now
		}
	}
	maps.DeleteFunc(s.going, func(_ api.Digest, at time.Time) bool { return now.Sub(at) > Keep })
	for _, h := range all {
		if _, going := s.going[h.rec.Root]; going || now.Sub(h.orphan) <= Keep {
			continue
		}
		s.remove(h)
		if len(s.gone) < Most {
			s.gone[h.rec.Root] = now
		}
	}
}

// age orders the records of a group, the oldest first.
func (g group) age(rec *api.JobRecord) int64 {
	if g.run == "" {
		return rec.Run.Instant().Unix()
	}
	return int64(rec.Epoch)
}

// thin removes the oldest that have ended, and has none like them come back; s.mu is held.
func (s *Shelf) thin(g group, list []*held) {
	most := Restarts
	if g.run == "" {
		most = Instants
	}
	slices.SortFunc(list, func(a, b *held) int { return cmp.Compare(g.age(&b.rec), g.age(&a.rec)) })
	seen, last := 0, int64(0)
	for i, h := range list {
		if a := g.age(&h.rec); i == 0 || a != last {
			seen, last = seen+1, a
		}
		if seen <= most {
			s.floors[g] = last
		} else if h.rec.State.Ended() {
			s.remove(h)
		}
	}
	if seen < most {
		delete(s.floors, g)
	}
}

// past reports whether a record that a member offers is one that is not to be kept any
// more; s.mu is held.
func (s *Shelf) past(rec *api.JobRecord) bool {
	if _, gone := s.gone[rec.Root]; gone {
		return true
	}
	if !rec.State.Ended() {
		return false
	}
	for _, g := range []group{{root: rec.Root}, {rec.Root, rec.Run}} {
		if floor, full := s.floors[g]; full && g.age(rec) < floor {
			return true
		}
	}
	return false
}

// older orders records of a member by what goes first when there are more than [Most]: those that have
// ended, the oldest first. All members order them alike.
func older(a, b *held) int {
	return cmp.Or(cmp.Compare(standing(a), standing(b)), a.when().Compare(b.when()), cmp.Compare(a.key, b.key))
}

func standing(h *held) int {
	if h.rec.State.Ended() {
		return 0
	}
	return 1
}

// when is the time by which h is ordered.
func (h *held) when() time.Time {
	if h.rec.Ended.IsZero() {
		return h.rec.Claimed
	}
	return h.rec.Ended
}

// byAge is a heap of records, with what goes first at the top.
type byAge []*held

func (q byAge) Len() int           { return len(q) }
func (q byAge) Less(i, j int) bool { return older(q[i], q[j]) < 0 }
func (q byAge) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byAge) Push(x any)        { *q = append(*q, x.(*held)) }

// Pop implements [heap.Interface].
func (q *byAge) Pop() any {
	last := len(*q) - 1
	h := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return h
}

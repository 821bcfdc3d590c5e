package keep

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// holding is what stands of a blob that this node keeps, or is to keep.
type holding struct {
	size    int64  // 0: not known for sure
	round   uint   // of planning that has asked for it last
	keepers uint64 // names all of them
	here    bool

	fetchAt time.Time // of the next fetch; zero: it is here, or under way
	tries   int       // fetches that failed, in a row
	cancel  func()    // of the fetch under way; nil: there is none

	checkAt time.Time // when to ask next who has it; zero: it is not here
	poor    int       // checks that found too few copies, in a row
	copies  int       // that were seen last, this one included; 0: not known
	want    int       // how many there were to be then
}

// planning is one round of it.
type planning struct {
	now  time.Time
	look bool // what is here may be gone
	back bool // somebody may be there who was not
}

// plan brings what this node holds in line with what is needed and who is there. It
// returns the members that can keep blobs, and whether those are others than before.
func (k *Keeper) plan(now time.Time) (all []candidate, changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roster.sweep(now)
	all, _ = k.roster.candidates(now)
	p := planning{now: now, look: k.stirred.look, back: k.stirred.members && k.roster.others()}
	k.stirred = stirred{}
	changed = !slices.Equal(all, k.all)
	k.all = all
	k.round++
	if me, ok := k.me(); ok {
		for of := range k.needs.each {
			if me.keeps(of[0].Blob, copiesOf(of), all) {
				k.hold(of, p)
			}
		}
	}
	for blob, h := range k.holding {
		if h.round == k.round {
			continue
		}
		if h.cancel != nil {
			h.cancel()
		}
		delete(k.holding, blob)
	}
	select {
	case <-k.planned:
	default:
		close(k.planned)
	}
	return all, changed
}

// me is this node as a candidate; false: it is none.
func (k *Keeper) me() (candidate, bool) {
	i := slices.IndexFunc(k.all, func(c candidate) bool { return c.peer == k.roster.self })
	if i < 0 {
		return candidate{}, false
	}
	return k.all[i], true
}

// hold sees to a blob that this node keeps.
func (k *Keeper) hold(of []api.Reference, p planning) {
	blob := of[0].Blob
	h, known := k.holding[blob]
	if !known {
		h = &holding{}
		k.holding[blob] = h
	}
	h.round, h.size = k.round, sizeOf(of)
	if who := nameOf(blob, copiesOf(of), k.all); who != h.keepers {
		h.keepers, h.poor = who, 0
		if h.here {
			k.checkAt(blob, h, p.now.Add(k.cfg.CheckFirst))
		}
	}
	was := h.here
	if !known || p.look || !was {
		h.here = k.parts.Has(blob)
	}
	switch {
	case h.here && !was:
		h.fetchAt, h.tries = time.Time{}, 0
		k.checkAt(blob, h, p.now.Add(k.cfg.CheckFirst))
	case !h.here && (was || !known):
		h.checkAt, h.copies = time.Time{}, 0
		k.fetchFirst(blob, h)
	case !h.here && p.back && h.fetchAt.After(p.now):
		k.fetchAt(blob, h, p.now.Add(rand.N(k.cfg.Retry)))
	}
}

// sizeOf is the size that references give a blob; 0 where they contradict each other.
func sizeOf(of []api.Reference) int64 {
	for _, r := range of {
		if r.Size != of[0].Size {
			return 0
		}
	}
	return of[0].Size
}

// nameOf names the set of those that keep a blob.
func nameOf(blob api.Digest, copies int, all []candidate) (sum uint64) {
	list, n := first(blob, copies, all)
	for _, c := range list[:n] {
		sum += mix(c.hash)
	}
	return sum
}

// fetchFirst has a blob fetched before all others: it may be that somebody waits for
// what is needed now, and nobody does for what has been lacking for long.
func (k *Keeper) fetchFirst(blob api.Digest, h *holding) {
	k.serial++
	k.fetchAt(blob, h, time.Unix(0, -int64(k.serial)))
}

func (k *Keeper) fetchAt(blob api.Digest, h *holding, at time.Time) {
	h.fetchAt = at
	k.fetches.add(at, blob)
	k.fetches.tidy(2*len(k.holding), func(e entry) bool {
		h := k.holding[e.blob]
		return h != nil && h.fetchAt.Equal(e.at)
	})
}

func (k *Keeper) checkAt(blob api.Digest, h *holding, at time.Time) {
	h.checkAt = at
	k.checks.add(at, blob)
	k.checks.tidy(2*len(k.holding), func(e entry) bool {
		h := k.holding[e.blob]
		return h != nil && h.checkAt.Equal(e.at)
	})
	notify(k.wakeCheck)
}

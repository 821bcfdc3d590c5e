package reconcile

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// scope is of how many workloads something is to be done.
type scope int

const (
	none    scope = iota
	sharing       // those that run on some members only: which ones depends on the others
	all
)

// alike reports whether a and b are placed alike.
func alike(a, b placement.Workload) bool {
	return a.Ref == b.Ref && a.Replicas == b.Replicas && a.MemoryMB == b.MemoryMB &&
		slices.Equal(a.Holders, b.Holders) && slices.Equal(a.Target.Peers, b.Target.Peers) && slices.Equal(a.Target.Tags, b.Target.Tags)
}

// plan makes rankings anew where that is due. The work is done without the lock, by
// the goroutine that alone decides.
func (r *Reconciler) plan() {
	r.mu.Lock()
	what, members := r.replan, r.members.up
	r.replan = none
	if what == none {
		r.mu.Unlock()
		return
	}
	var loads []placement.Workload
	for _, l := range r.loads {
		if !l.gone() && (what == all || what == sharing && l.shared()) {
			loads = append(loads, l.asks.Workload)
		}
	}
	r.mu.Unlock()
	rankings := placement.PlaceAll(loads, members)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range loads {
		r.place(w, rankings[w.Ref])
	}
}

// place gives w its ranking, if it still asks for the same.
func (s *state) place(w placement.Workload, rank placement.Ranking) {
	l := s.loads[w.Ref]
	if l == nil || l.gone() || !alike(l.asks.Workload, w) {
		return // its turn comes again
	}
	if !l.ranked || !slices.Equal(l.rank.In, rank.In) || !slices.Equal(l.rank.Out, rank.Out) || !slices.Equal(l.rank.Blocked, rank.Blocked) {
		l.rank, l.ranked = rank, true
		s.touch(l)
	}
}

// desired is how many members shall run l now: as many as it asks for, or as fit.
func (s *state) desired(l *load) int {
	n := 0
	for _, p := range l.rank.In {
		if s.phase(l, p) != placement.PhaseRefused {
			n++
		}
	}
	if l.asks.Replicas > 0 {
		n = min(n, l.asks.Replicas-len(placement.Waits(l.asks.Workload, l.rank)))
	}
	return n
}

// phase is where p, which is up, stands with the wanted version of l.
func (s *state) phase(l *load, p api.PeerID) placement.Phase {
	if p == s.Self {
		return l.mine().phase(l.wanted.Digest)
	}
	if !s.heeds(p) {
		return placement.PhaseNone
	}
	return l.others[p].phase(l.wanted.Digest)
}

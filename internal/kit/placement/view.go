package placement

import "github.com/realm-mesh/realm/api"

// view is what self sees of a workload.
type view struct {
	rank     int    // of self among those that can run it, from 1; 0: it cannot
	place    int    // of self in the order of those that have not refused, then the others, from 0
	want     int    // how many shall run it
	asked    int    // how many it asks for, but for those that wait for a holder
	all      bool   // it asks for all that can
	eligible int    // how many can, and have not refused
	why      string // it cannot
	banned   bool   // it must not, although it may go on until others run it

	good     int // above self that run some version
	chosen   int // that shall run it and run some version
	hopeless int // that shall run it, have failed, and run none

	waiting int // above self, to run it, that are prepared, or failed, or on their way
	slow    int // likewise, that are not even prepared
	moving  int // below self that are on their way, or have failed and go on with another
	down    int // others to run it that run nothing
	blocker api.PeerID
	failed  bool // the blocker has
}

// look counts what others tell. Those that have refused come after all that have not,
// those that cannot run w last: whoever of them still runs it ends when so many run it
// as shall.
func (v *view) look(self api.PeerID, w Workload, r Ranking, replicas map[api.PeerID]Replica) {
	order := make([]api.PeerID, 0, len(r.In)+len(r.Out))
	var refused []api.PeerID
	for i, p := range r.In {
		if p == self {
			v.rank = i + 1
		}
		if replicas[p].Phase == PhaseRefused {
			refused = append(refused, p)
		} else {
			order = append(order, p)
		}
	}
	v.eligible = len(order)
	order = append(order, refused...)
	for _, o := range r.Out {
		if o.Peer == self {
			v.why, v.banned = o.Why, !o.Drained
		}
		order = append(order, o.Peer)
	}
	if v.rank == 0 && v.why == "" {
		v.why, v.banned = "it is no member", true
	}
	v.asked, v.all = asked(w, r)
	v.want = v.asked
	if v.all {
		v.want = v.eligible
	}
	above := true
	for i, p := range order {
		if p == self {
			v.place, above = i, false
			continue
		}
		v.count(p, replicas[p], above, i < min(v.want, v.eligible))
	}
}

// count takes down what member p tells; chosen: it is one of those that run w.
func (v *view) count(p api.PeerID, r Replica, above, chosen bool) {
	if above && r.Good {
		v.good++
	}
	if !chosen {
		return
	}
	failed := r.Phase == PhaseFailed
	if r.Good {
		v.chosen++
	} else if failed {
		v.hopeless++
	}
	switch {
	case above && (failed || r.Phase == PhasePrepared || r.Phase == PhaseStarting):
		v.waiting++
		v.block(p, failed)
	case above && r.Phase == PhaseNone:
		v.slow++
	case r.Phase == PhaseStarting, failed && r.Good:
		v.moving++
		v.block(p, failed)
	case !r.Good:
		v.down++
	}
}

// block notes that self waits for p. A member where the version has failed says more
// than one where it starts.
func (v *view) block(p api.PeerID, failed bool) {
	if v.blocker == "" || failed && !v.failed {
		v.blocker, v.failed = p, failed
	}
}

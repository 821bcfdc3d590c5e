package placement

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
)

// Phase is where a member stands with the wanted version of a workload.
type Phase int

// The phases.
const (
	PhaseNone     Phase = iota // nothing is known of it there, or it is fetched and compiled
	PhasePrepared              // it could start, and waits for its turn
	PhaseStarting              // it is started, and not ready
	PhaseFailed                // it was started and was not ready, or cannot run
	PhaseReady                 // it runs, answers, or has ended well
	PhaseRefused               // the member cannot take it
)

// Replica is what a member tells of a workload.
type Replica struct {
	Phase Phase
	// Good: some version runs or answers there, or has ended well: the wanted one, or
	// one before it.
	Good bool
}

// Rollout is how a version takes the place of another.
type Rollout struct {
	Most   int  // members on their way to it at once
	Strict bool // by rank alone: a slow member holds up those below it
}

// Verdict is what a member owes a workload.
type Verdict struct {
	Duty api.Duty
	Rank int    // from 1; 0: it cannot run it
	Why  string // for people
}

// Decide says what self owes w. Of members that are not up replicas must not be
// handed in; those that said nothing may be left out.
func Decide(self api.PeerID, w Workload, r Ranking, replicas map[api.PeerID]Replica, roll Rollout) Verdict {
	var v view
	v.look(self, w, r, replicas)
	mine := replicas[self]
	switch {
	case v.rank > 0 && mine.Phase == PhaseRefused:
		return v.leave(w, mine, "it has refused")
	case v.rank > 0 && v.place < v.want:
		return v.run(w, mine, roll)
	case v.rank > 0:
		return v.leave(w, mine, fmt.Sprintf("it is number %d in rank, and %d run it", v.place+1, v.want))
	default:
		return v.leave(w, mine, v.why)
	}
}

// view is what self sees of a workload.
type view struct {
	rank  int    // of self among those that can run it, from 1; 0: it cannot
	place int    // of self in the order of those that have not refused, then the others, from 0
	want  int    // how many shall run it
	good  int    // above self that do
	why   string // it cannot

	waiting int // above self, to run it, that are prepared, or failed, or on their way
	slow    int // likewise, that are not even prepared
	moving  int // below self that are on their way
	blocker api.PeerID
	failed  bool // the blocker has
}

// look counts what others tell. Those that have refused come after all that have not,
// those that cannot run w last: whoever of them still runs it ends when so many run it
// as shall.
func (v *view) look(self api.PeerID, w Workload, r Ranking, replicas map[api.PeerID]Replica) {
	var eligible, others []api.PeerID
	for i, p := range r.In {
		if p == self {
			v.rank = i + 1
		}
		if replicas[p].Phase == PhaseRefused {
			others = append(others, p)
		} else {
			eligible = append(eligible, p)
		}
	}
	for _, o := range r.Out {
		if o.Peer == self {
			v.why = o.Why
		}
		others = append(others, o.Peer)
	}
	v.want = w.Replicas
	if v.want == 0 {
		v.want = len(eligible)
	}
	above := true
	for i, p := range append(eligible, others...) {
		if p == self {
			v.place, above = i, false
			continue
		}
		v.count(p, replicas[p], above, i < min(v.want, len(eligible)))
	}
}

// count takes down what member p tells; chosen: it is one of those that run w.
func (v *view) count(p api.PeerID, r Replica, above, chosen bool) {
	if above && r.Good {
		v.good++
	}
	if !chosen || r.Phase == PhaseReady {
		return
	}
	switch {
	case r.Phase == PhaseNone:
		if above {
			v.slow++
		}
	case above:
		v.waiting++
		if v.blocker == "" || r.Phase == PhaseFailed && !v.failed {
			v.blocker, v.failed = p, r.Phase == PhaseFailed
		}
	case r.Phase == PhaseStarting:
		v.moving++
	}
}

// run is for a member that shall run w.
func (v *view) run(w Workload, mine Replica, roll Rollout) Verdict {
	out := Verdict{Duty: api.DutyRun, Rank: v.rank, Why: fmt.Sprintf("it is number %d in rank of the %d that run it", v.place+1, v.want)}
	if w.Replicas == 0 {
		out.Why = "every member that its target names runs it"
	}
	if !mine.Good || mine.Phase == PhaseReady || mine.Phase == PhaseStarting || mine.Phase == PhaseFailed {
		return out // nothing that is good is given up for it, or that is done already
	}
	before := v.waiting + v.moving
	if roll.Strict {
		before += v.slow
	}
	if before < max(1, roll.Most) {
		return out
	}
	out.Duty = api.DutyHold
	switch {
	case v.failed:
		out.Why = fmt.Sprintf("the new version is not ready on …%s, where it is tried first", v.blocker.Short())
	case v.blocker != "":
		out.Why = fmt.Sprintf("…%s changes to the new version first", v.blocker.Short())
	default:
		out.Why = "others change to the new version first"
	}
	return out
}

// leave is for a member that shall not run w.
func (v *view) leave(w Workload, mine Replica, why string) Verdict {
	out := Verdict{Duty: api.DutyNone, Rank: v.rank, Why: why}
	if mine.Good && w.Replicas > 0 && v.good < w.Replicas {
		out.Duty, out.Why = api.DutyKeep, why+"; it goes on until those above it are ready"
	}
	return out
}

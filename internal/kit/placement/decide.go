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
	// Kept, of self alone: a version that was good is kept here, and comes back by
	// itself if it does not run now.
	Kept bool
}

// Rollout is how a version takes the place of another.
type Rollout struct {
	Most int // members on their way to it at once
	// Strict: what runs stops before the new version starts. Members that run nothing
	// count then, too, and a slow member holds up those below it.
	Strict bool
}

// Verdict is what a member owes a workload.
type Verdict struct {
	Duty api.Duty
	Rank int    // from 1; 0: it cannot run it
	Why  string // for people
	// Meanwhile is the duty until the verdict has stood for [Pause]; empty: it counts
	// at once. See [Patience].
	Meanwhile api.Duty
}

// Decide says what self owes w. Of members that are not up replicas must not be
// handed in; those that said nothing may be left out.
func Decide(self api.PeerID, w Workload, r Ranking, replicas map[api.PeerID]Replica, roll Rollout) Verdict {
	var v view
	v.look(self, w, r, replicas)
	mine := replicas[self]
	switch {
	case v.rank > 0 && mine.Phase == PhaseRefused:
		return v.leave(mine, "it has refused")
	case v.rank > 0 && v.place < v.want:
		return v.run(mine, roll)
	case v.rank > 0:
		return v.leave(mine, fmt.Sprintf("it is number %d in rank, and %d run it", v.place+1, v.want))
	default:
		return v.leave(mine, v.why)
	}
}

// run is for a member that shall run w.
func (v *view) run(mine Replica, roll Rollout) Verdict {
	out := Verdict{Duty: api.DutyRun, Rank: v.rank, Why: fmt.Sprintf("it is number %d in rank of the %d that run it", v.place+1, v.want)}
	if v.all {
		out.Why = "every member that its target names runs it"
	}
	if !mine.Good || mine.Phase != PhaseNone && mine.Phase != PhasePrepared {
		return out // nothing that is good is given up for it, or that is done already
	}
	most, busy := max(1, roll.Most), v.waiting+v.moving
	if roll.Strict {
		busy += v.slow + v.down
	}
	if busy < most && (roll.Strict || busy+v.slow < most) {
		return out
	}
	if busy < most && mine.Phase == PhasePrepared {
		// Only members that have not even prepared it are in the way: it passes them,
		// unless what they have to say is but late.
		out.Meanwhile = api.DutyHold
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

// leave is for a member that shall not run w. What is good here goes on for as long
// as others might need it.
func (v *view) leave(mine Replica, why string) Verdict {
	out := Verdict{Duty: api.DutyNone, Rank: v.rank, Why: why}
	switch {
	case !mine.Good && !mine.Kept:
	case !v.enough():
		out.Duty, out.Why = api.DutyKeep, why+"; it goes on until those above it are ready"
	case mine.Good:
		out.Meanwhile = api.DutyKeep
	}
	return out
}

// enough reports whether so many others run w that one that shall not may stop.
func (v *view) enough() bool {
	switch hopeful := v.eligible - v.hopeless; {
	case v.all && hopeful > 0:
		return v.chosen >= hopeful
	case v.all:
		return v.good > 0
	case v.banned && v.eligible > 0 && v.chosen >= v.eligible:
		return true
	}
	return v.good >= v.asked
}

package rollout

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Goal is the state that a version asks for.
type Goal int

// The goals.
const (
	Run    Goal = iota // it runs, or has ended well; a function answers
	Stop               // it is kept, but does not run
	Remove             // nothing of it is left
)

// GoalOf is what an intent asks for.
func GoalOf(in api.Intent) (Goal, error) {
	if in.Tombstone {
		return Remove, nil
	}
	w, err := in.Workload()
	if err != nil {
		return Run, err
	}
	if w.Started() {
		return Run, nil
	}
	return Stop, nil
}

// reached reports whether s is where g ends.
func (g Goal) reached(s api.State) bool {
	switch g {
	case Stop:
		return s == api.StateStopped
	case Remove:
		return s == api.StateRemoved
	default:
		return s.Reached()
	}
}

// crossed reports whether s is where another goal ends.
func (g Goal) crossed(s api.State) bool {
	for other := Run; other <= Remove; other++ {
		if other != g && other.reached(s) {
			return true
		}
	}
	return false
}

// maxRestarts is how often a program may end badly before it counts as one that
// does not come up.
const maxRestarts = 3

// Outcome is where a version stands on one member, or on all.
type Outcome int

// The outcomes.
const (
	Waiting Outcome = iota
	Done
	Failed
)

// Progress is where a version stands on one member.
type Progress struct {
	Member
	Outcome Outcome
	State   api.State // of this version or a newer one; "" when the member has said nothing of it
	Reason  string    // for people; set unless it is done
	Tail    []string  // last log lines, when it failed
}

// Judge says where version v stands on a member, by the member's fact (nil: it
// has said nothing). quiet tells that there was time enough to say something: a
// member that never had a workload, or has just been started again, says nothing
// of its removal.
func Judge(g Goal, v intent.Version, m Member, f *api.WorkloadFact, quiet bool) Progress {
	p := Progress{Member: m}
	switch {
	case f == nil && g == Remove && quiet:
		p.Outcome = Done
	case f == nil:
		p.Reason = "has said nothing of it yet"
	case v.Newer(version(f)):
		p.Reason = fmt.Sprintf("still at version %d (%s)", f.Seq, f.State)
	default:
		p.State, p.Reason, p.Tail = f.State, f.Reason, f.Tail
		p.Outcome = judgeState(g, f)
		if p.Outcome == Failed && version(f) != v && g.crossed(f.State) {
			p.Reason = fmt.Sprintf("a newer version, %d, has taken its place: it is %s", f.Seq, f.State)
		}
	}
	if m.Gone && p.Outcome == Waiting {
		p.Reason = "has just lost its connection"
	}
	return p
}

func version(f *api.WorkloadFact) intent.Version {
	return intent.Version{Seq: f.Seq, Digest: f.Intent}
}

func judgeState(g Goal, f *api.WorkloadFact) Outcome {
	switch {
	case g.reached(f.State):
		return Done
	case f.State == api.StateFailed, g.crossed(f.State), f.State == api.StateBackoff && f.Restarts >= maxRestarts:
		return Failed
	}
	return Waiting
}

// Verdict sums the members up: failed as soon as one is, done when there are any
// and all are.
func Verdict(members []Progress) Outcome {
	sum := Done
	if len(members) == 0 {
		sum = Waiting
	}
	for _, m := range members {
		switch m.Outcome {
		case Failed:
			return Failed
		case Waiting:
			sum = Waiting
		case Done:
		}
	}
	return sum
}

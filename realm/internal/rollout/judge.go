package rollout

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// MaxRestarts is how often a program may end badly before it counts as one that
// does not come up.
const MaxRestarts = 3

// Outcome is where a version stands on one member, or on all.
type Outcome int

// The outcomes.
const (
	Waiting Outcome = iota
	Done
	Failed
	Idle    // of a member: it has nothing to do with the version
	Refused // of a member: it cannot take the version, others may
)

// Progress is where a version stands on one member.
type Progress struct {
	Member
	Outcome Outcome
	State   api.State // of this version or a newer one; "" when the member has said nothing of it
	Reason  string    // for people; set unless it is done
	Tail    []string  // last log lines, when it failed
	// Serving is the number of an older version that runs or answers there; 0: none.
	Serving uint64
	// Must: it has to do what the version asks, whatever others do.
	Must bool
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
		p.Serving = f.Serving
		if f.State == api.StateRunning || f.State == api.StateUnhealthy {
			p.Serving = f.Seq
		}
	default:
		p.State, p.Reason, p.Tail, p.Serving = f.State, f.Reason, f.Tail, f.Serving
		p.Outcome = judgeState(g, f)
		if version(f) != v && (p.Outcome == Idle || g.crossed(f.State)) {
			p.Reason = fmt.Sprintf("a newer version, %d, has taken its place: it is %s", f.Seq, f.State)
			if p.Outcome == Idle {
				p.Outcome = Waiting // until it is known what that version asks for
			}
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
	case f.State == api.StateRemoved:
		return Idle
	case g == Run && f.State == api.StateRefused:
		return Refused
	case f.State == api.StateFailed, g.crossed(f.State), f.State == api.StateBackoff && f.Restarts >= MaxRestarts:
		return Failed
	}
	return Waiting
}

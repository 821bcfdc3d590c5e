package plan

import (
	"time"

	"github.com/realm-mesh/realm/api"
)

// schedulesAlone reports whether runs of e are not to go on beside earlier ones.
func (e *jobPlan) schedulesAlone() bool {
	return e.Body.Schedule != nil && e.Body.Schedule.Concurrency != api.ConcurrencyAllow
}

// alone is the first execution of a run that is to be the only one of its job: with
// [api.ConcurrencyForbid] it is skipped where an earlier one goes on, unless it is late
// itself, when it waits; with [api.ConcurrencyReplace] it waits until that has been stopped.
func (p *Planner) alone(r *runPlan, c candidate, now time.Time, out *Plan) (candidate, time.Time) {
	before := p.before(r)
	if before == "" {
		return c, now
	}
	r.state, r.why = api.JobQueued, "waits until the run "+string(before)+" has ended"
	late := r.known.Sub(r.at) > Grace
	if r.job.Body.Schedule.Concurrency == api.ConcurrencyForbid && !late {
		if home, _ := p.home(r, now); home == p.self {
			x := api.Exec{Root: r.id.Root, Run: r.id.Run, Epoch: c.epoch, Peer: p.self}
			out.Verdicts = append(out.Verdicts, Verdict{x, api.ExecSkipped, api.CauseFirst, "the run " + string(before) + " goes on"})
		}
		return candidate{}, now.Add(repeat)
	}
	return candidate{}, now.Add(time.Second)
}

// before is a run of an earlier instant that has not ended; "": there is none.
func (p *Planner) before(r *runPlan) api.RunKey {
	if first, _ := p.book.OpenSpan(r.id.Root); first != "" && first.Instant().Before(r.at) {
		return first
	}
	return ""
}

// later reports whether there is a run of a later instant.
func (p *Planner) later(r *runPlan) bool {
	_, last := p.book.OpenSpan(r.id.Root)
	return last != "" && last.Instant().After(r.at)
}

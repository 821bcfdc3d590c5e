package plan

import (
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// ready has r wait for room here, unless something else has to be waited for.
func (p *Planner) ready(r *runPlan, now time.Time) {
	r.why = p.self.Short() + " begins it when it has room"
	delete(p.pulls, r.id)
	for _, t := range []time.Time{r.given, r.paused, r.asking, r.voting, r.claimed} {
		if t.After(now) {
			p.queue.remove(r)
			p.wakes.set(r, t)
			return
		}
	}
	if !r.asking.IsZero() { // nobody has answered: that is no objection
		r.asking, r.cleared = time.Time{}, true
	}
	if !r.voting.IsZero() {
		p.lost(r, nil, now)
		p.wakes.set(r, r.paused)
		return
	}
	p.queue.add(r)
}

// others has this node ask for r when it has waited at its home for too long.
func (p *Planner) others(r *runPlan, now time.Time) {
	if !p.fitsSelf(r, now) {
		return
	}
	if at := r.since.Add(PullAfter); at.After(now) {
		p.wakes.set(r, at)
		return
	}
	p.pulls[r.id] = r
}

// pending notes why nobody can execute r.
func (p *Planner) pending(r *runPlan, now, again time.Time) {
	r.state = api.JobPending
	if r.why = "no member can execute it: " + p.reasons(r.job); len(p.order(r)) > 0 {
		r.why = "no member that could execute it is up, or all have refused it"
	}
	p.wakes.set(r, again)
	if r.at.IsZero() || p.book.Run(r.id.Root, r.id.Run).Last != nil || r.job.Body.Schedule.Missed == api.MissedAll {
		return
	}
	if missed := r.at.Add(Grace); missed.After(now) {
		p.wakes.set(r, earlier(again, missed))
	} else if r.job.Body.Schedule.Missed == api.MissedSkip || p.later(r) {
		p.book.Unexpect(r.id)
	}
}

// home is the member that is to claim the next execution of r: the first that is up and
// has not refused it. again is when the first of those before it that have may be asked
// again; zero: there is none.
func (p *Planner) home(r *runPlan, now time.Time) (home api.PeerID, again time.Time) {
	refused := p.refused(r.id)
	for _, peer := range p.order(r) {
		if !p.isUp(peer) {
			continue
		}
		if until := refused[peer]; until.After(now) {
			again = earlier(again, until)
			continue
		}
		return peer, again
	}
	return "", again
}

// refused is until when members that have moved a run are not asked again.
func (p *Planner) refused(id book.ID) map[api.PeerID]time.Time {
	var out map[api.PeerID]time.Time
	for _, x := range p.book.Executions(id) {
		if x.State != api.ExecMoved {
			continue
		}
		if out == nil {
			out = map[api.PeerID]time.Time{}
		}
		out[x.Peer] = x.Ended.Add(RefuseFor)
	}
	return out
}

// fitsSelf reports whether this node could execute r.
func (p *Planner) fitsSelf(r *runPlan, now time.Time) bool {
	i, ok := p.index[p.self]
	return ok && r.job.fits[i] && !p.refused(r.id)[p.self].After(now)
}

package plan

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// runPlan is what this node knows of a run that has not ended, beside its records.
type runPlan struct {
	id    book.ID
	job   *jobPlan
	at    time.Time // instant
	known time.Time // when it was first looked at

	order          []api.PeerID // of members that fit
	revision       int
	ranked         uint64
	state          api.JobState // for people, with why
	why            string
	wake           time.Time
	heaped, queued int       // places in wakes and queue, + 1
	next           candidate // the execution that is to come, if any
	since          time.Time // when it was first so
	paused         time.Time // not begun before, after an objection or a lost vote
	tries          int
	given          time.Time    // not begun before: another member has it
	taken          time.Time    // this node may begin it until then: it was given
	claimed        time.Time    // when it was last handed out
	round          int64        // of the last vote
	asking, voting time.Time    // an answer is waited for until then
	cleared, won   bool         // by those that were asked; by a majority
	holders        []api.PeerID // of votes that this node asked for in vain
}

// candidate is an execution that is to come.
type candidate struct {
	epoch int
	cause api.ExecCause
	home  api.PeerID // that is to claim it
}

// asked is when the run was asked for.
func (r *runPlan) asked() time.Time {
	if r.at.IsZero() {
		return r.job.Issued
	}
	return r.at
}

// look decides about a run anew.
func (p *Planner) look(id book.ID, now time.Time, out *Plan) {
	v := p.book.Run(id.Root, id.Run)
	e, r := p.jobs[id.Root], p.runs[id]
	if e == nil || v.State == "" || v.State.Ended() {
		if r != nil {
			p.forget(r, v, out)
		}
		return
	}
	if r == nil {
		r = &runPlan{id: id, job: e, at: id.Run.Instant(), known: now}
		p.runs[id] = r
	}
	r.job, r.state, r.why = e, "", ""
	p.wakes.set(r, time.Time{})
	if v.Current != nil && !v.Away {
		p.settle(r, v, candidate{}, now, out)
		return
	}
	c, at := p.due(r, &v, now, out)
	if c.epoch == 0 || at.After(now) {
		p.settle(r, v, candidate{}, now, out)
		p.wakes.set(r, at)
		return
	}
	p.assign(r, v, c, now, out)
}

// forget ends planning for a run.
func (p *Planner) forget(r *runPlan, v book.RunView, out *Plan) {
	p.settle(r, v, candidate{}, time.Time{}, out)
	p.wakes.set(r, time.Time{})
	delete(p.runs, r.id)
}

// settle has c be the execution of r that is to come.
func (p *Planner) settle(r *runPlan, v book.RunView, c candidate, now time.Time, out *Plan) {
	if r.next == c {
		return
	}
	if r.round != 0 && v.Epoch < r.next.epoch {
		out.Release = append(out.Release, p.release(r, r.next.epoch, r.round))
	}
	if r.next.epoch != c.epoch {
		r.since, r.cleared, r.tries, r.holders = now, false, 0, nil
		r.asking, r.voting, r.paused, r.given, r.taken, r.claimed = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	r.next, r.won, r.round, r.voting = c, false, 0, time.Time{}
	p.queue.remove(r)
	p.setAside(r, Room{})
	delete(p.pulls, r.id)
}

// due is the execution that is to come of a run which nobody executes now, and when; with
// epoch 0: none, for a reason that is noted.
func (p *Planner) due(r *runPlan, v *book.RunView, now time.Time, out *Plan) (candidate, time.Time) {
	c := candidate{epoch: v.Epoch + 1}
	switch {
	case v.Current != nil:
		return p.takeover(r, v, c, now, out)
	case v.Last == nil:
		return p.first(r, c, now, out)
	}
	switch last := v.Last; last.State {
	case api.ExecMoved:
		c.cause = api.CauseMove
		return c, now
	case api.ExecLost:
		c.cause = api.CauseTakeover
		if v.Losses > 1 {
			return c, p.after(r, last, v.Losses-1)
		}
		return c, now
	}
	if r.job.Body.Type == api.JobService {
		c.cause = api.CauseRestart
		return c, p.after(r, v.Last, p.crashes(r.id))
	}
	c.cause = api.CauseRetry
	return c, p.after(r, v.Last, max(v.Failed, 1))
}

// after is when the pause after the nth failure is over. The end was told by its member's
// clock; one that is ahead must not hold the run up for longer than the pause.
func (p *Planner) after(r *runPlan, last *api.JobRecord, n int) time.Time {
	return last.Ended.Add(r.job.Body.Backoff.Pause(n))
}

// crashes is how often a service has ended since it was last up for a while.
func (p *Planner) crashes(id book.ID) (n int) {
	list := p.book.Executions(id)
	for i := len(list) - 1; i >= 0; i-- {
		switch x := list[i]; {
		case !x.State.Ended() || x.State == api.ExecMoved:
			continue
		case !x.Started.IsZero() && x.Ended.Sub(x.Started) >= Steady:
			return max(n, 1)
		}
		n++
	}
	return max(n, 1)
}

// takeover is the execution after one whose member is away.
func (p *Planner) takeover(r *runPlan, v *book.RunView, c candidate, now time.Time, out *Plan) (candidate, time.Time) {
	who := v.Current.Peer.Short()
	r.state = api.JobRunning
	if r.job.Body.Once == api.OnceStrict {
		r.state, r.why = api.JobPending, who+" executes it and is not there: a strict job waits until it is back, or is cancelled"
		return candidate{}, time.Time{}
	}
	at := p.awaySince(v.Current.Peer).Add(AwayFor)
	r.why = who + " executes it and is not there: another takes over"
	c.cause = api.CauseTakeover
	if most := r.job.Body.Retries + api.MaxLosses; v.Losses+1 > most && r.job.Body.Type != api.JobService && !at.After(now) {
		p.verdict(r, c.epoch, fmt.Sprintf("%d of its executions were lost with their members", v.Losses+1), out)
		return candidate{}, now.Add(repeat)
	}
	return c, at
}

// verdict has this node say that the run has failed for good, if it is its home.
func (p *Planner) verdict(r *runPlan, epoch int, why string, out *Plan) {
	if home, _ := p.home(r, time.Time{}); home == p.self {
		x := api.Exec{Root: r.id.Root, Run: r.id.Run, Epoch: epoch, Peer: p.self}
		out.Verdicts = append(out.Verdicts, Verdict{x, api.ExecFailed, api.CauseVerdict, why})
	}
}

// first is the first execution of a run.
func (p *Planner) first(r *runPlan, c candidate, now time.Time, out *Plan) (candidate, time.Time) {
	met, why, failed := p.book.Needs(r.id.Root)
	switch {
	case failed:
		r.state, r.why = api.JobWaiting, why
		p.verdict(r, c.epoch, why, out)
		return candidate{}, now.Add(repeat)
	case !met:
		r.state, r.why = api.JobWaiting, why
		return candidate{}, time.Time{}
	case r.job.schedulesAlone():
		return p.alone(r, c, now, out)
	}
	return c, now
}

// assign finds the member that is to claim c, and puts r where it waits.
func (p *Planner) assign(r *runPlan, v book.RunView, c candidate, now time.Time, out *Plan) {
	home, again := p.home(r, now)
	if home == "" {
		p.settle(r, v, candidate{}, now, out)
		p.pending(r, now, again)
		return
	}
	c.home = home
	if r.next != c {
		wasTaken := r.taken
		p.settle(r, v, c, now, out)
		if r.next.epoch == c.epoch {
			r.taken = wasTaken
		}
	}
	r.state = api.JobQueued
	if home == p.self || r.taken.After(now) {
		p.ready(r, now)
	} else {
		r.why = home.Short() + " is to begin it"
		p.others(r, now)
	}
	if !again.IsZero() { // one that comes before it may be asked again then
		p.wakes.set(r, earlier(r.waking(), again))
	}
}

// waking is when r is to be looked at; zero: not by itself.
func (r *runPlan) waking() time.Time {
	if r.heaped == 0 {
		return time.Time{}
	}
	return r.wake
}

// Outlook implements [book.Outlook].
func (p *Planner) Outlook(id book.ID) (api.JobState, string) {
	if r := p.runs[id]; r != nil {
		return r.state, r.why
	}
	if e := p.jobs[id.Root]; e != nil && e.broken != "" {
		return api.JobPending, e.broken
	}
	return "", ""
}

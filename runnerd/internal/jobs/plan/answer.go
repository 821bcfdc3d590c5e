package plan

import (
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// maxAnswer is the most records that an answer to a claim has.
const maxAnswer = 4

// Answer is what this node says to a claim of another member: which of the records here
// speak against it (the caller of this attaches them as they were signed), and which
// member that is up comes before it, or knows better; both empty: nothing, and votes that this node may
// have for a strict run are given back with the next plan, which is to be asked for soon.
func (p *Planner) Answer(c api.JobClaim, from api.PeerID, now time.Time) (records []api.Exec, live api.PeerID) {
	id := book.ID{Root: c.Root, Run: c.Run}
	v := p.book.Run(c.Root, c.Run)
	list := p.book.Executions(id)
	for i := len(list) - 1; i >= 0 && len(records) < maxAnswer; i-- {
		if x := list[i]; x.Epoch >= c.Epoch || x.State == api.ExecSucceeded || v.State.Ended() {
			records = append(records, x.Exec())
		}
	}
	if v.Current != nil && !v.Away && v.Current.Peer != from {
		return records, v.Current.Peer
	}
	if v.State.Ended() && p.book.LetGo(id) {
		return records, p.self // not all that would prove it is left
	}
	r := p.runs[id]
	if r == nil || len(records) > 0 {
		return records, ""
	}
	refused := p.refused(id)
	for _, peer := range p.order(r) {
		if peer == from {
			break
		}
		if p.isUp(peer) && !refused[peer].After(now) {
			return nil, peer
		}
	}
	p.yield(r, c.Epoch, now)
	return nil, ""
}

// Explain says why a job runs where it does, or does not.
func (p *Planner) Explain(root api.Digest, now time.Time) (api.JobExplain, bool) {
	s, known := p.book.Summary(root)
	e := p.jobs[root]
	if !known || e == nil {
		return api.JobExplain{}, false
	}
	out := api.JobExplain{Job: s.Job, Root: root, State: s.State, Reason: s.Reason, Needs: p.book.NeedsOf(root), Members: []api.JobMember{}}
	r := p.shown(e, now)
	order, refused := p.order(r), p.refused(r.id)
	home, _ := p.home(r, now)
	for i, peer := range order {
		m, _ := p.member(peer)
		out.Members = append(out.Members, api.JobMember{Peer: peer, Host: m.Host, Live: m.Live, Rank: i + 1, Why: p.why(r, m, home, refused[peer].After(now))})
	}
	for i := range p.members {
		if m := &p.members[i]; !slices.Contains(order, m.Peer) {
			out.Members = append(out.Members, api.JobMember{Peer: m.Peer, Host: m.Host, Live: m.Live, Why: unfit(e, m)})
		}
	}
	return out, true
}

// shown is the run that Explain is about: the newest that has not ended, else the first.
func (p *Planner) shown(e *jobPlan, now time.Time) *runPlan {
	id := book.ID{Root: e.Root, Run: api.NewRunKey(time.Time{}, 0)}
	if all := p.book.Runs(e.Root); len(all) > 0 {
		id = all[0].ID
	}
	if open := p.book.Open(e.Root); len(open) > 0 {
		id = open[len(open)-1]
	}
	if r := p.runs[id]; r != nil {
		return r
	}
	return &runPlan{id: id, job: e, at: id.Run.Instant(), known: now}
}

// why says of a member that can execute r what it has to do with it.
func (p *Planner) why(r *runPlan, m *Member, home api.PeerID, refused bool) string {
	v := p.book.Run(r.id.Root, r.id.Run)
	switch {
	case v.Current != nil && v.Current.Peer == m.Peer && m.up():
		return "it executes it"
	case v.Current != nil && v.Current.Peer == m.Peer:
		return "it executes it, and is not there"
	case v.Accepted != nil && v.Accepted.Peer == m.Peer:
		return "its result counts"
	case !m.Live:
		return "it is not there"
	case m.RunnerDown:
		return "its runnerd is down"
	case refused:
		return "it has refused it a moment ago"
	case m.Peer != home:
		return "it comes after others"
	case v.State.Ended() || v.Current != nil:
		return "it would be the next"
	case r.why != "":
		return r.why
	}
	return "it is the next to begin it"
}

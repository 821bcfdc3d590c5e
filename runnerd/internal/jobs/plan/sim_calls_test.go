package plan_test

import (
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// claim does what a claim asks for.
func (n *node) claim(c plan.Claim) {
	switch {
	case len(c.Ask) > 0:
		n.ask(c)
	case len(c.Electors) > 0:
		n.elect(c)
	default:
		n.begin(c)
	}
}

func (n *node) peer(id api.PeerID) *node { return n.s.nodes[id[10]-'a'] }

// ask asks others about a claim, for a second at most.
func (n *node) ask(c plan.Claim) {
	left, objection, over := len(c.Ask), false, false
	end := func() {
		if over {
			return
		}
		over = true
		n.plan.Asked(c.Exec, objection, n.s.now)
		n.kick()
	}
	for _, id := range c.Ask {
		o := n.peer(id)
		n.s.send(n, o, func() {
			found, live := o.plan.Answer(api.JobClaim{Root: c.Exec.Root, Run: c.Exec.Run, Epoch: c.Exec.Epoch}, n.id, n.s.now)
			o.kick()
			var recs []api.JobRecord
			for _, x := range found {
				recs = append(recs, o.store[x])
			}
			n.s.send(o, n, func() {
				n.put(recs...)
				if live != "" || len(recs) > 0 {
					n.s.log("%s: %c objects: %d records, %.12s", execName(c.Exec), o.id[10], len(recs), live)
					objection = true
				}
				if left--; left == 0 {
					end()
				}
			})
		})
	}
	n.s.on(n, time.Second, end)
}

// elect asks electors for their votes.
func (n *node) elect(c plan.Claim) {
	votes, left, over := 0, len(c.Electors), false
	var holders []api.PeerID
	end := func() {
		if over {
			return
		}
		over = true
		won := votes > len(c.Electors)/2
		n.s.log("%s: %d of %d votes", execName(c.Exec), votes, len(c.Electors))
		n.plan.Voted(c.Exec, won, holders, n.s.now)
		if !won {
			n.release(c.Exec, c.Electors, c.Round)
		}
		n.kick()
	}
	for _, id := range c.Electors {
		o := n.peer(id)
		n.s.send(n, o, func() {
			key := api.JobClaim{Root: c.Exec.Root, Run: c.Exec.Run, Epoch: c.Exec.Epoch}
			if has, given := o.votes[key]; !given || has.peer == n.id {
				o.votes[key] = promise{n.id, max(c.Round, has.round)}
			}
			who := o.votes[key].peer
			n.s.send(o, n, func() {
				if holders = append(holders, who); who == n.id {
					votes++
				}
				if left--; left == 0 || votes > len(c.Electors)/2 {
					end()
				}
			})
		})
	}
	n.s.on(n, time.Second, end)
}

// release gives votes back.
func (n *node) release(x api.Exec, electors []api.PeerID, round int64) {
	for _, id := range electors {
		o := n.peer(id)
		n.s.send(n, o, func() {
			key := api.JobClaim{Root: x.Root, Run: x.Run, Epoch: x.Epoch}
			if has := o.votes[key]; has.peer == n.id && has.round <= round {
				delete(o.votes, key)
			}
		})
	}
}

// take asks another node for runs.
func (n *node) take(t plan.Take) {
	o, over := n.peer(t.From), false
	end := func(runs []api.JobClaim) {
		if !over {
			over = true
			n.plan.Took(t.From, runs, n.s.now)
			n.kick()
		}
	}
	n.s.send(n, o, func() {
		given := o.plan.Give(&api.JobTake{Runs: t.Runs}, n.id, n.s.now)
		o.kick()
		n.s.send(o, n, func() { end(given.Runs) })
	})
	n.s.on(n, time.Second, func() { end(nil) })
}

// began checks what has to hold whenever an execution begins.
func (s *sim) began(n *node, c plan.Claim) {
	id := book.ID{Root: c.Exec.Root, Run: c.Exec.Run}
	j, _ := n.book.Job(id.Root)
	if c.Cause == api.CauseTakeover {
		for _, x := range n.book.Executions(id) {
			if at := s.gone[x.Peer]; !x.State.Ended() && !at.IsZero() {
				s.takeover = max(s.takeover, s.now.Sub(at))
			}
		}
	}
	if n.book.Run(id.Root, id.Run).State.Ended() {
		s.fail(id, "%c begins what has ended", n.id[10])
	}
	if met, why, _ := n.book.Needs(id.Root); c.Exec.Epoch == 1 && !met {
		s.fail(id, "%c begins it, though %s", n.id[10], why)
	}
	if s.alone {
		s.checkAlone(c.Exec)
	}
	if j.Body.Once == api.OnceStrict {
		s.checkStrict(n, id, &j, c)
	}
}

// checkAlone checks that no other instant of the job is under way anywhere.
func (s *sim) checkAlone(x api.Exec) {
	for _, o := range s.nodes {
		for y, e := range o.running {
			if y.Root == x.Root && y.Run != x.Run && !e.stop && o.up {
				s.fail(book.ID{Root: x.Root, Run: x.Run}, "%s begins while %s runs", execName(x), execName(y))
			}
		}
	}
}

// checkStrict checks that nobody else has begun, or executes, a strict run.
func (s *sim) checkStrict(n *node, id book.ID, j *book.Job, c plan.Claim) {
	if s.epochs[id] == nil {
		s.epochs[id] = map[int]api.PeerID{}
	}
	if who, twice := s.epochs[id][c.Exec.Epoch]; twice {
		s.fail(id, "epoch %d is begun on %c and on %c", c.Exec.Epoch, who[10], n.id[10])
	}
	s.epochs[id][c.Exec.Epoch] = n.id
	votes := 0
	for _, e := range j.Body.Electors {
		if n.peer(e).votes[api.JobClaim{Root: id.Root, Run: id.Run, Epoch: c.Exec.Epoch}].peer == n.id {
			votes++
		}
	}
	if votes <= len(j.Body.Electors)/2 {
		s.fail(id, "%c begins epoch %d with %d votes", n.id[10], c.Exec.Epoch, votes)
	}
	for _, o := range s.nodes {
		for x := range o.running {
			if x.Root == id.Root && x.Run == id.Run {
				s.fail(id, "%s begins while %s runs", execName(c.Exec), execName(x))
			}
		}
	}
}

// check notes the accepted success of a run: it changes to a higher one, if at all.
func (n *node) check(id book.ID) {
	v := n.book.Run(id.Root, id.Run)
	if v.State != api.JobSucceeded {
		return
	}
	if n.s.finals[n.id] == nil {
		n.s.finals[n.id] = map[book.ID]api.Exec{}
	}
	old, was := n.s.finals[n.id][id]
	if was && v.Accepted.Compare(old) < 0 {
		n.s.fail(id, "%c accepted %s, now %s", n.id[10], execName(old), execName(*v.Accepted))
	}
	n.s.finals[n.id][id] = *v.Accepted
}

// agree checks the end: all nodes that are up hold that all runs have ended, in the same way.
func (s *sim) agree() {
	for _, j := range s.jobs {
		var first *node
		for _, n := range s.nodes {
			if !n.up || s.failed {
				continue
			}
			if first == nil {
				first = n
			}
			a, b := first.book.Runs(j.Root), n.book.Runs(j.Root)
			if len(a) != len(b) {
				s.fail(book.ID{Root: j.Root}, "%c has %d runs, %c %d", first.id[10], len(a), n.id[10], len(b))
				return
			}
			for i := range a {
				s.same(n, &a[i], &b[i])
			}
		}
	}
}

func (s *sim) same(n *node, a, b *book.RunView) {
	state, why := n.plan.Outlook(b.ID)
	switch {
	case !b.State.Ended():
		s.fail(b.ID, "%c holds that it is %s (%s: %s %s)", n.id[10], b.State, b.Reason, state, why)
	case a.State != b.State || (a.Accepted == nil) != (b.Accepted == nil) || a.Accepted != nil && *a.Accepted != *b.Accepted:
		s.fail(b.ID, "%c holds that it is %s, others that it is %s", n.id[10], b.State, a.State)
	case b.State == api.JobSucceeded && b.Accepted == nil:
		s.fail(b.ID, "it has no accepted result")
	}
}

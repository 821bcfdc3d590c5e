package plan

import (
	"container/heap"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// free is what is left of room.
func (p *Planner) free(room Room) Room {
	room.CPUMilli -= p.holding.CPUMilli
	used := p.holding.MemoryMB
	for _, x := range p.book.Going(p.self) {
		need := Room{CPUMilli: api.DefaultCPUMilli}
		if e := p.jobs[x.Root]; e != nil {
			need = e.need
		}
		room.CPUMilli -= need.CPUMilli
		used += need.MemoryMB
	}
	if room.MemoryMB > 0 {
		room.MemoryMB = max(room.MemoryMB-used, -1)
	}
	return room
}

// has reports whether there is room for need.
func (r Room) has(need Room) bool {
	return r.CPUMilli >= need.CPUMilli && (r.MemoryMB == 0 || r.MemoryMB-need.MemoryMB >= 0)
}

// less is r without need; a limit that is used up stays one.
func (r Room) less(need Room) Room {
	r.CPUMilli -= need.CPUMilli
	if r.MemoryMB != 0 {
		if r.MemoryMB -= need.MemoryMB; r.MemoryMB <= 0 {
			r.MemoryMB = -1
		}
	}
	return r
}

// setAside holds room for r.
func (p *Planner) setAside(r *runPlan, need Room) {
	old := p.held[r.id]
	p.holding.CPUMilli += need.CPUMilli - old.CPUMilli
	p.holding.MemoryMB += need.MemoryMB - old.MemoryMB
	if p.held[r.id] = need; need == (Room{}) {
		delete(p.held, r.id)
	}
}

// begin hands out runs that wait, as long as there is room, in their order.
func (p *Planner) begin(now time.Time, free *Room, out *Plan) {
	for len(p.queue) > 0 {
		r := p.queue[0]
		if _, held := p.held[r.id]; !held {
			if !free.has(r.job.need) {
				return
			}
			*free = free.less(r.job.need)
			p.setAside(r, r.job.need)
		}
		heap.Pop(&p.queue)
		out.Claims = append(out.Claims, p.claim(r, now))
		p.wakes.set(r, r.until())
	}
}

// until is when r is looked at again if nobody answers.
func (r *runPlan) until() time.Time {
	switch {
	case !r.asking.IsZero():
		return r.asking
	case !r.voting.IsZero():
		return r.voting
	}
	return r.claimed
}

// claim takes r a step further: others are asked, electors vote, it is begun.
func (p *Planner) claim(r *runPlan, now time.Time) Claim {
	c := Claim{Exec: api.Exec{Root: r.id.Root, Run: r.id.Run, Epoch: r.next.epoch, Peer: p.self}, Cause: r.next.cause}
	if !r.cleared && p.doubts(r, now) {
		if c.Ask = p.witnesses(r); len(c.Ask) > 0 {
			r.asking = now.Add(askFor)
			return c
		}
	}
	if r.job.Body.Once == api.OnceStrict && !r.won {
		c.Electors = r.job.Body.Electors
		r.round = max(r.round+1, now.UnixNano())
		c.Round, r.voting = r.round, now.Add(voteFor)
		return c
	}
	r.claimed = now.Add(repeat) // where its record is not there until then, once more
	p.setAside(r, Room{})
	return c
}

// doubts reports whether others are to be asked before r is claimed.
func (p *Planner) doubts(r *runPlan, now time.Time) bool {
	switch {
	case len(r.holders) > 0:
		return true
	case r.taken.After(now):
		return false
	case now.Before(p.unsettled):
		return true
	}
	v := p.book.Run(r.id.Root, r.id.Run)
	switch {
	case v.Last == nil:
		return p.order(r)[0] != p.self || r.known.Sub(r.asked()) > Settle
	case v.Last.State == api.ExecMoved || v.Current != nil:
		return true
	}
	return v.Last.Peer != p.self
}

// witnesses are the members that are asked about r: those that would claim it else, then
// others, who may have heard of it.
func (p *Planner) witnesses(r *runPlan) []api.PeerID {
	var out []api.PeerID
	most := askedPeers + len(r.holders)
	add := func(peer api.PeerID) {
		if peer != p.self && len(out) < most && p.isUp(peer) && !slices.Contains(out, peer) {
			out = append(out, peer)
		}
	}
	for _, peer := range slices.Concat(r.holders, p.order(r)) {
		add(peer)
	}
	for i := range p.members {
		add(p.members[i].Peer)
	}
	return out
}

// Asked takes in what those said that were asked about an execution, once all have
// answered or had their time: whether anybody objected. Records of theirs are to be put
// into the book before.
func (p *Planner) Asked(x api.Exec, objection bool, now time.Time) {
	r := p.runs[book.ID{Root: x.Root, Run: x.Run}]
	if r == nil || r.next.epoch != x.Epoch || r.asking.IsZero() {
		return
	}
	r.asking, r.cleared = time.Time{}, !objection
	if objection {
		r.paused = now.Add(objected)
		p.setAside(r, Room{})
	}
	p.dirty[r.id] = true
}

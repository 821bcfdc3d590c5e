package plan

import (
	"hash/fnv"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// Give answers a member that has room for runs that wait here: those that it may have.
func (p *Planner) Give(t *api.JobTake, to api.PeerID, now time.Time) *api.JobTaken {
	out := &api.JobTaken{Runs: []api.JobClaim{}}
	for _, c := range t.Runs {
		r := p.runs[book.ID{Root: c.Root, Run: c.Run}]
		if r == nil || r.queued == 0 || r.next.epoch != c.Epoch || r.next.home != p.self || r.taken.After(now) {
			continue
		}
		if !slices.Contains(p.order(r), to) || p.refused(r.id)[to].After(now) {
			continue
		}
		r.given = now.Add(GiveFor)
		p.dirty[r.id] = true
		p.queue.remove(r)
		out.Runs = append(out.Runs, c)
	}
	return out
}

// pull asks other members for runs that wait there.
func (p *Planner) pull(now time.Time, free Room, out *Plan) {
	for home, t := range p.takes {
		if !t.until.After(now) {
			p.putBack(home, t)
		}
	}
	if len(p.pulls) == 0 || len(p.queue) > 0 || free.CPUMilli <= 0 {
		return
	}
	list := make([]*runPlan, 0, len(p.pulls))
	for _, r := range p.pulls {
		if _, asked := p.takes[r.next.home]; !asked && free.has(r.job.need) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, (*runPlan).before)
	byHome, homes := map[api.PeerID]*Take{}, []api.PeerID(nil)
	start := p.turn(len(list))
	for i := range list {
		r := list[(start+i)%len(list)]
		if !free.has(r.job.need) {
			break
		}
		t := byHome[r.next.home]
		if t == nil {
			t = &Take{From: r.next.home}
			byHome[t.From], homes = t, append(homes, t.From)
		}
		if len(t.Runs) == api.MaxJobClaims {
			continue
		}
		free = free.less(r.job.need)
		p.setAside(r, r.job.need)
		t.Runs = append(t.Runs, api.JobClaim{Root: r.id.Root, Run: r.id.Run, Epoch: r.next.epoch})
	}
	for _, home := range homes {
		p.ask(*byHome[home], now, out)
	}
}

func (p *Planner) ask(t Take, now time.Time, out *Plan) {
	asked := taking{until: now.Add(takeFor)}
	for _, c := range t.Runs {
		asked.runs = append(asked.runs, book.ID{Root: c.Root, Run: c.Run})
	}
	p.takes[t.From] = asked
	out.Takes = append(out.Takes, t)
}

// turn is where this node begins in a list of runs that others ask for, too.
func (p *Planner) turn(n int) int {
	if n == 0 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(p.self))
	return int(h.Sum32() % uint32(n))
}

// putBack ends a question to home: room that was set aside for it is there again.
func (p *Planner) putBack(home api.PeerID, t taking) {
	for _, id := range t.runs {
		if r := p.runs[id]; r != nil && r.next.home == home && !r.taken.After(t.until) {
			p.setAside(r, Room{})
		}
	}
	delete(p.takes, home)
}

// Took takes in which runs a member has given away to this node. On an error there are none.
// They are its own for less than [GiveFor] since it has asked, which was before the member
// began to count.
func (p *Planner) Took(from api.PeerID, given []api.JobClaim, now time.Time) {
	t, asked := p.takes[from]
	if !asked {
		return // the answer is too late
	}
	p.putBack(from, t)
	until := t.until.Add(GiveFor - objected - takeFor)
	for _, c := range given {
		r := p.runs[book.ID{Root: c.Root, Run: c.Run}]
		if r != nil && r.next.epoch == c.Epoch {
			r.taken = until
			p.dirty[r.id] = true
		}
	}
	if len(given) == 0 {
		p.takes[from] = taking{until: now.Add(objected)}
	}
}

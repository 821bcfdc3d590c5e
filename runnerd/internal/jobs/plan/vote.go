package plan

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// Voted takes in how electors have voted about an execution: whether a majority of them
// has given its vote to this node, and else who has the votes, as far as they said.
//
// Who could not get a majority asks those first, before the next try. They object when
// they are about to begin, or have; else they give the votes back ([Planner.Answer]): a
// member may hold some without knowing, after a restart or a message that came late.
func (p *Planner) Voted(x api.Exec, won bool, holders []api.PeerID, now time.Time) {
	r := p.runs[book.ID{Root: x.Root, Run: x.Run}]
	if r == nil || r.next.epoch != x.Epoch || r.voting.IsZero() {
		return
	}
	if p.dirty[r.id] = true; !won {
		p.lost(r, holders, now)
		return
	}
	r.voting, r.won = time.Time{}, true
}

// lost ends a try to get votes.
func (p *Planner) lost(r *runPlan, holders []api.PeerID, now time.Time) {
	r.voting, r.cleared, r.holders = time.Time{}, false, nil
	for _, peer := range holders {
		if peer != "" && peer != p.self && !slices.Contains(r.holders, peer) {
			r.holders = append(r.holders, peer)
		}
	}
	p.setAside(r, Room{})
	r.paused = now.Add(p.pause(r))
}

// pause is how long to wait after a lost vote, longer each time: others are at it, too,
// and each of them waits for another time.
func (p *Planner) pause(r *runPlan) time.Duration {
	r.tries++
	h := fnv.New64a()
	fmt.Fprint(h, p.self, r.id.Root, r.id.Run, r.tries)
	most := time.Duration(min(r.tries, 8)) * time.Second / 2
	return time.Second/2 + time.Duration(h.Sum64()%uint64(most))
}

func (p *Planner) release(r *runPlan, epoch int, round int64) Release {
	x := api.Exec{Root: r.id.Root, Run: r.id.Run, Epoch: epoch, Peer: p.self}
	return Release{x, r.job.Body.Electors, round}
}

// yield gives up an execution that another is to begin, with all votes for it that this
// node has asked for, in this life or before.
func (p *Planner) yield(r *runPlan, epoch int, now time.Time) {
	if r.job.Body.Once != api.OnceStrict || p.book.Run(r.id.Root, r.id.Run).Epoch >= epoch {
		return
	}
	r.voting, r.won, r.cleared, r.round = time.Time{}, false, false, 0
	r.paused = now.Add(objected)
	p.setAside(r, Room{})
	p.queue.remove(r)
	p.releases = append(p.releases, p.release(r, epoch, now.UnixNano()))
	p.dirty[r.id] = true
}

package plan

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// keptBy is how many members keep the last lines of an execution.
const keptBy = 2

// Keepers are the members that keep the last lines of an execution of this node's, in
// case it is lost: those that would take the run over, then others.
func (p *Planner) Keepers(x api.Exec) (out []api.PeerID) {
	add := func(peer api.PeerID) {
		if peer != p.self && len(out) < keptBy && p.isUp(peer) && !slices.Contains(out, peer) {
			out = append(out, peer)
		}
	}
	if r := p.runs[book.ID{Root: x.Root, Run: x.Run}]; r != nil {
		for _, peer := range p.order(r) {
			add(peer)
		}
	}
	for i := range p.members {
		add(p.members[i].Peer)
	}
	return out
}

// IsUp reports whether a member is there, with its runnerd, as far as this node knows.
func (p *Planner) IsUp(peer api.PeerID) bool { return p.isUp(peer) }

// Queued is how many runs wait at this node for room.
func (p *Planner) Queued() int { return len(p.queue) }

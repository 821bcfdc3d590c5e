package placement

import (
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// holds reports whether member i of the roster has state of p.
func (p *placing) holds(i int) bool {
	return slices.Contains(p.Holders, p.from.members[i].Peer)
}

// stick has holders run p before all others. Where there are as many as p asks for, nobody
// else may: it would begin anew what is there already.
func (p *placing) stick() {
	if len(p.Holders) == 0 {
		return
	}
	var able, others []seat
	for _, s := range p.in {
		if p.holds(s.member) {
			able = append(able, s)
		} else {
			others = append(others, s)
		}
	}
	for _, h := range p.Holders {
		if !slices.ContainsFunc(able, func(s seat) bool { return p.from.members[s.member].Peer == h }) {
			p.blocked = append(p.blocked, h)
		}
	}
	p.in = able
	if p.Replicas == 0 || len(p.Holders) < p.Replicas {
		p.in = append(p.in, others...)
		return
	}
	why := fmt.Sprintf("its state is on …%s", p.Holders[0].Short())
	if n := len(p.Holders); n > 1 {
		why = fmt.Sprintf("its state is on %d other members", n)
	}
	for _, s := range others {
		p.out = append(p.out, Out{Peer: p.from.members[s.member].Peer, Why: why})
	}
}

// asked is how many members are to run w as r ranks them, at most: a replica of a holder
// that cannot run it waits, unless another one has state of it, too. all: every one that can.
func asked(w Workload, r Ranking) (n int, all bool) {
	if w.Replicas == 0 {
		return 0, true
	}
	able := 0
	for _, p := range r.In {
		if slices.Contains(w.Holders, p) {
			able++
		}
	}
	return max(w.Replicas-len(r.Blocked), min(able, w.Replicas), 0), false
}

// Waits are the holders for which replicas of w wait, as many as do.
func Waits(w Workload, r Ranking) []api.PeerID {
	n, all := asked(w, r)
	if all {
		return nil
	}
	return r.Blocked[:min(len(r.Blocked), max(0, w.Replicas-n))]
}

package placement_test

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// node is a member: what it knows, which may be late or wrong, and what it does.
type node struct {
	*sim
	id     int
	alive  bool          // the machine
	up     bool          // the process that decides
	group  int           // of those that it reaches
	held   time.Duration // it does nothing until then
	cpus   int
	room   bool // for big versions
	sick   bool // nothing becomes ready here
	ailing bool // it was sick once

	realm
	sight []sight
	facts []fact
	began time.Duration
	said  fact
	woken bool
	boots int

	rank    placement.Ranking
	rankKey rankKey
	placement.Patience
	duty api.Duty

	run, next, parked *inst
	gave              bool // something good for a new version, and nothing is good since
	tried             int  // digest of the version that it was given up for
	kept              *version
	failed            int // digest of a version that is not tried again
	refused           int
	recheck           time.Duration
	fetched           map[int]bool  // by what instances are made of
	mishap            time.Duration // the last
	misled            time.Duration // when it last stopped something for what had been lost unnoticed
}

// sight is what a node knows of another's being there.
type sight struct {
	linked  bool
	changes int
	parted  time.Duration
	live    bool
	last    time.Duration // when it was live last, if it is not
}

func (n *node) String() string { return string("ABCDEFGH"[n.id]) }

// good reports whether calls are answered there.
func (n *node) good() bool {
	return n.alive && n.up && n.now >= n.held && n.run != nil && n.run.state == api.StateRunning
}

// mishaps takes note that something befell n that it did not want.
func (n *node) mishaps() { n.mishap = n.now }

// wake has n look, a moment later.
func (n *node) wake() {
	if n.woken || !n.alive || !n.up {
		return
	}
	n.woken = true
	boots := n.boots
	n.after(max(n.between(burst, 2*burst), n.held-n.now+burst), func() {
		if n.boots == boots && n.alive && n.up {
			n.woken = false
			n.look()
		}
	})
}

// learn takes all that another knows.
func (n *node) learn(of *node) {
	n.merge(&of.realm)
	n.facts[of.id] = of.said
}

// hear takes a fact of another.
func (n *node) hear(of *node, f fact) {
	if f.after(n.facts[of.id]) {
		n.facts[of.id] = f
	}
}

// start begins the process, which knows what was signed, and hears of the rest.
func (n *node) start() {
	n.up, n.began = true, n.now
	n.boots++
	n.woken = false
	n.run, n.next, n.parked, n.failed, n.refused = nil, nil, nil, 0, 0
	n.Patience = placement.Patience{}
	n.wake()
	n.after(presumed+burst, n.wake)
	if n.said.down {
		n.after(n.between(0, backMost), func() { n.tellDown(!n.up) })
	}
}

// stop ends the process at once. Its node says so if it stays away.
func (n *node) stop() {
	n.mishaps()
	n.up = false
	n.run, n.next, n.parked = nil, nil, nil
	boots := n.boots
	n.after(n.between(downMin, downMax), func() {
		if n.boots == boots {
			n.tellDown(true)
		}
	})
}

// tellDown tells others whether the process is down: until it is back nothing else is said.
func (n *node) tellDown(is bool) {
	if !n.alive || n.said.down == is {
		return
	}
	n.unrest = n.now
	n.note(n, "says that it is down: %v", is)
	n.said.down = is
	n.say(n.says())
}

// isUp reports whether n takes o for a member that is up.
func (n *node) isUp(o *node) bool {
	if !n.of[o.id].member {
		return o == n
	}
	l := n.sight[o.id]
	return o == n || l.live || n.now < max(l.last, n.began)+presumed
}

// rankKey is all that a ranking depends on.
type rankKey struct {
	up, down, changes int
	cpus              [8]int
}

// ranking is made anew when what it depends on has changed.
func (n *node) ranking() placement.Ranking {
	key := rankKey{changes: n.changes}
	for _, o := range n.nodes {
		if n.isUp(o) {
			key.up |= 1 << o.id
			key.cpus[o.id] = n.facts[o.id].cpus
			if o != n && n.facts[o.id].down {
				key.down |= 1 << o.id
			}
		}
	}
	if key == n.rankKey {
		return n.rank
	}
	var members []placement.Member
	for _, o := range n.nodes {
		if key.up&(1<<o.id) != 0 {
			x := n.of[o.id]
			members = append(members, placement.Member{Peer: peers[o.id], Roles: x.roles, Drained: x.drained, RunnerDown: key.down&(1<<o.id) != 0, Capacity: api.Capacity{CPUs: key.cpus[o.id]}})
		}
	}
	n.rank, n.rankKey = placement.Place(n.wanted.Workload, members), key
	if h := (n.salt ^ uint64(key.up&^key.down)*0x9e3779b97f4a7c15) >> 7; n.swaps && h%3 == 0 && len(n.rank.In) > 1 {
		i, j := int(h/3)%len(n.rank.In), int(h/64)%len(n.rank.In)
		n.rank.In[i], n.rank.In[j] = n.rank.In[j], n.rank.In[i]
	}
	return n.rank
}

// replicas is what n has heard, and its own.
func (n *node) replicas() map[api.PeerID]placement.Replica {
	out := make(map[api.PeerID]placement.Replica, len(n.nodes))
	for _, o := range n.nodes {
		if f := n.facts[o.id]; o != n && n.isUp(o) && !f.down {
			out[peers[o.id]] = placement.Replica{Phase: f.phase(n.wanted.digest), Good: f.good() && n.sight[o.id].live}
		}
	}
	f := n.says()
	early := f.state == "" || f.state == api.StatePending || f.state == api.StatePrepared
	out[peers[n.id]] = placement.Replica{Phase: f.phase(n.wanted.digest), Good: f.good() || early && n.kept != nil, Kept: n.kept != nil}
	return out
}

// rollout is how the wanted version takes the place of another.
func (n *node) rollout(r placement.Ranking) placement.Rollout {
	eligible := 0
	for _, o := range n.nodes {
		for _, p := range r.In {
			if p == peers[o.id] && n.facts[o.id].phase(n.wanted.digest) != placement.PhaseRefused {
				eligible++
			}
		}
	}
	if n.wanted.Replicas > 0 {
		eligible = min(eligible, n.wanted.Replicas)
	}
	return placement.Rollout{Most: n.wanted.most.Of(eligible), Strict: n.wanted.stopFirst}
}

// look decides and acts.
func (n *node) look() {
	if n.wanted == nil {
		return
	}
	if n.wanted.removed {
		n.duty = api.DutyNone
		n.depart(false)
		n.publish()
		return
	}
	r := n.ranking()
	replicas := n.replicas()
	if n.wanted.stopped {
		replicas = nil
	}
	v := placement.Decide(peers[n.id], n.wanted.Workload, r, replicas, n.rollout(r))
	v, again := n.Act(v, n.wanted.sum(), time.Unix(0, 0).Add(n.now))
	if !again.IsZero() {
		n.after(again.Sub(time.Unix(0, 0).Add(n.now)), n.wake)
	}
	if n.duty != v.Duty {
		n.note(n, "%s for %s: %s [%s]", v.Duty, n.wanted, v.Why, n.reasons(r, replicas))
	}
	if n.duty == api.DutyKeep && v.Duty == api.DutyRun {
		n.saw("a replica given up and needed again")
	}
	if n.duty == api.DutyHold && v.Meanwhile == api.DutyHold && v.Duty == api.DutyRun {
		n.saw("a late member passed")
	}
	n.duty = v.Duty
	n.act(v)
	n.publish()
}

// reasons shows what a decision rests on.
func (n *node) reasons(r placement.Ranking, replicas map[api.PeerID]placement.Replica) (s string) {
	show := func(p api.PeerID) {
		x := replicas[p]
		s += fmt.Sprintf(" %s%d", p[len(p)-1:], x.Phase)
		if x.Good {
			s += "+"
		}
		if x.Kept {
			s += "k"
		}
	}
	for _, p := range r.In {
		show(p)
	}
	s += " |"
	for _, o := range r.Out {
		show(o.Peer)
	}
	return s
}

// says is the fact about what n does now.
func (n *node) says() fact {
	w := n.wanted
	f := fact{epoch: n.said.epoch, seq: n.said.seq, cpus: n.cpus, down: n.said.down}
	if w == nil || !n.up {
		return f
	}
	f.about, f.number = w.digest, w.seq
	if n.run != nil && n.run.v != w && n.run.state == api.StateRunning {
		f.serving = n.run.v.seq
	}
	switch {
	case n.run != nil && n.run.v == w:
		f.state, f.restarts = n.run.state, n.run.restarts
	case n.refused == w.digest:
		f.state = api.StateRefused
	case n.next != nil && n.next.v == w:
		f.state, f.restarts = n.next.state, n.next.restarts
	case n.failed == w.digest:
		f.state = api.StateFailed
	case n.duty == api.DutyRun || n.duty == api.DutyHold || n.run != nil:
		f.state = api.StatePending
	default:
		f.about, f.number = 0, 0
	}
	return f
}

// publish tells others when something has changed.
func (n *node) publish() {
	f := n.says()
	if !f.same(n.said) {
		n.say(f)
	}
}

// say tells others f.
func (n *node) say(f fact) {
	f.seq++
	n.said, n.facts[n.id] = f, f
	n.tell(n, func(to *node) { to.hear(n, f) })
	n.wake()
}

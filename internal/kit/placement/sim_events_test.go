package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// event is something that people or the world do to the realm.
type event struct {
	at   time.Duration
	name string
	node int
	a, b int
}

func (e event) String() string {
	return fmt.Sprintf("%.3fs %s %s %d %d", e.at.Seconds(), e.name, string("ABCDEFGH"[e.node]), e.a, e.b)
}

// member is one that n knows of, by chance n itself.
func (e event) member(n *node) int {
	if i := e.b % len(n.nodes); n.of[i].member {
		return i
	}
	return n.id
}

// happenings are all kinds of events, and how likely they are.
var happenings = []struct {
	name  string
	often int
	do    func(s *sim, n *node, e event)
}{
	{"push", 8, func(s *sim, n *node, e event) {
		n.sign(func(v *version) {
			v.inst, v.kind, v.stopped, v.removed = s.digests, kinds[e.a%len(kinds)], false, false
		})
	}},
	{"push big", 2, func(s *sim, n *node, e event) {
		n.sign(func(v *version) {
			v.inst, v.kind, v.stopped, v.removed, v.MemoryMB = s.digests, good, false, false, 512*(e.a%2)
		})
	}},
	{"roll back", 3, func(_ *sim, n *node, e event) {
		n.sign(func(v *version) {
			if old := n.versions[max(1, v.seq-1-e.a%3)]; old != nil {
				v.inst, v.kind, v.MemoryMB = old.inst, old.kind, old.MemoryMB
			}
		})
	}},
	{"scale", 5, func(_ *sim, n *node, e event) { n.sign(func(v *version) { v.Replicas = e.a % 5 }) }},
	{"target", 2, func(_ *sim, n *node, e event) {
		n.sign(func(v *version) { v.Target.Tags = [][]string{nil, {"x"}, {"y"}}[e.a%3] })
	}},
	{"order", 2, func(s *sim, n *node, e event) {
		n.sign(func(v *version) {
			v.stopFirst, v.inst, v.most = e.a%2 == 0, s.digests, []api.Share{"1", "25%", "2", "100%"}[e.b%4]
		})
	}},
	{"stop", 1, func(s *sim, n *node, e event) {
		n.sign(func(v *version) { v.stopped = true })
		s.after(time.Duration(e.a%9000)*time.Millisecond, func() { n.sign(func(v *version) { v.stopped = false }) })
	}},
	{"remove", 1, func(s *sim, n *node, e event) {
		n.sign(func(v *version) { v.removed = true })
		s.after(time.Duration(e.a%9000)*time.Millisecond, func() {
			n.sign(func(v *version) { v.removed, v.inst, v.kind = false, s.digests, good })
		})
	}},
	{"drain", 4, func(_ *sim, n *node, e event) { n.settle(e.member(n), func(x *settings) { x.drained = e.a%3 != 0 }) }},
	{"drain the next", 3, func(s *sim, n *node, e event) {
		s.ambush = func(n *node) { n.settle(n.id, func(x *settings) { x.drained = true }) }
	}},
	{"roles", 3, func(_ *sim, n *node, e event) {
		n.settle(e.member(n), func(x *settings) { x.roles = roles[e.a%len(roles)] })
	}},
	{"join or leave", 3, func(s *sim, n *node, e event) {
		o := s.nodes[e.b%len(s.nodes)]
		if o == n {
			return
		}
		member := !o.alive && !n.of[o.id].member
		if !member && !s.die(o) {
			return
		}
		n.settle(o.id, func(x *settings) { x.member = member })
		if member {
			o.set(o.id, n.of[o.id]) // it has been let in with that
			o.boot()
		}
	}},
	{"capacity", 2, func(_ *sim, n *node, e event) {
		n.cpus = 1 + e.a%8
		n.publish()
	}},
	{"room", 2, func(_ *sim, n *node, e event) { n.room = e.a%2 == 0 }},
	{"die", 4, func(s *sim, n *node, e event) {
		if s.die(n) && e.b%4 > 0 {
			s.after(time.Duration(1000+e.a%40000)*time.Millisecond, func() {
				if n.of[n.id].member {
					n.boot()
				}
			})
		}
	}},
	{"restart", 4, func(s *sim, n *node, e event) {
		if n.up {
			n.stop()
			boots := n.boots
			s.after(time.Duration(200+e.a%4000)*time.Millisecond, func() {
				if n.alive && n.boots == boots {
					n.start()
				}
			})
		}
	}},
	{"go down", 4, func(s *sim, n *node, e event) {
		if !n.up {
			return
		}
		s.saw("a process that stays away")
		n.stop()
		boots := n.boots
		if e.b%4 == 0 {
			return // for good
		}
		s.after(time.Duration(5000+e.a%60000)*time.Millisecond, func() {
			if n.alive && n.boots == boots {
				n.start()
			}
		})
	}},
	{"lie low", 2, func(s *sim, n *node, e event) {
		n.mishaps()
		n.ailing = true // it may be too late with what it was about to start
		n.held = s.now + time.Duration(e.a%20000)*time.Millisecond
		n.wake()
	}},
	{"crash", 4, func(_ *sim, n *node, _ event) {
		if n.good() {
			n.mishaps()
			n.crash(n.run)
			n.publish()
			n.wake()
		}
	}},
	{"sicken", 2, func(s *sim, n *node, e event) {
		n.sick, n.ailing = true, true
		n.mishaps()
		s.after(time.Duration(e.a%30000)*time.Millisecond, func() { n.sick = e.b%2 == 0; n.mishaps() })
	}},
	{"split", 3, func(s *sim, n *node, e event) {
		for i, o := range s.nodes {
			o.group = e.a >> i & 1
		}
		s.links()
		s.after(time.Duration(500+e.b%40000)*time.Millisecond, s.heal)
	}},
}

var (
	kinds = []kind{good, good, good, crashes, hangs}
	roles = [][]string{nil, {"x"}, {"y"}, {"x", "y"}}
)

// script draws events from a seed.
func script(rng *rand.Rand, nodes int) (out []event) {
	total := 0
	for _, h := range happenings {
		total += h.often
	}
	at := 2 * time.Second
	for range 3 + rng.IntN(12) {
		r, i := rng.IntN(total), 0
		for ; r >= happenings[i].often; i++ {
			r -= happenings[i].often
		}
		out = append(out, event{at, happenings[i].name, rng.IntN(nodes), rng.IntN(1 << 20), rng.IntN(1 << 20)})
		switch rng.IntN(4) {
		case 0: // at once
		case 1:
			at += time.Duration(rng.IntN(2000)) * time.Millisecond
		default:
			at += time.Duration(rng.IntN(20000)) * time.Millisecond
		}
	}
	return out
}

func (s *sim) happen(e event) {
	i := slices.IndexFunc(happenings, func(h struct {
		name  string
		often int
		do    func(*sim, *node, event)
	}) bool {
		return h.name == e.name
	})
	n := s.nodes[e.node]
	if !n.alive {
		return
	}
	s.note(n, "%s %d %d", e.name, e.a, e.b)
	if e.name != "push" && e.name != "roll back" {
		s.unrest = s.now
	}
	happenings[i].do(s, n, e)
}

// sign makes a new version that n tells all others.
func (n *node) sign(change func(*version)) {
	n.digests++
	v := &version{Workload: placement.Workload{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}}, most: api.DefaultMaxUnavailable}
	if n.wanted != nil {
		*v = *n.wanted
	}
	v.seq++
	v.digest = n.rng.IntN(1<<15)<<1 + 1 // ties are broken at random
	change(v)
	n.take(v)
	n.note(n, "signs %s", v)
	n.tell(n, func(to *node) { to.take(v) })
	n.wake()
}

// settle changes the settings of a node; n tells all others.
func (n *node) settle(of int, change func(*settings)) {
	x := n.of[of]
	x.seq = x.seq/16*16 + 16 + n.id // two of them never sign the same
	change(&x)
	n.set(of, x)
	n.unrest = n.now
	n.note(n, "sets %s: %+v", n.nodes[of], x)
	n.tell(n, func(to *node) { to.set(of, x) })
	n.wake()
}

// die takes n's machine away, if it is not the last.
func (s *sim) die(n *node) bool {
	alive := 0
	for _, o := range s.nodes {
		if o.alive {
			alive++
		}
	}
	if !n.alive || alive == 1 {
		return false
	}
	n.stop()
	n.alive = false
	s.links()
	return true
}

// boot starts n's machine: it has what is on disk, and hears of the rest.
func (n *node) boot() {
	if n.alive {
		return
	}
	n.alive = true
	n.unrest = n.now
	n.mishaps()
	n.said = fact{epoch: n.said.epoch + 1, cpus: n.cpus}
	for i := range n.facts {
		n.facts[i] = fact{cpus: n.facts[i].cpus, down: n.facts[i].down}
	}
	for i := range n.sight {
		n.sight[i].live, n.sight[i].last = false, 0
	}
	n.facts[n.id] = n.said
	n.links()
	n.start()
}

// heal ends all partitions.
func (s *sim) heal() {
	s.unrest = s.now
	for _, o := range s.nodes {
		o.group = 0
	}
	s.links()
}

package placement_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quiet is how long after the last event a realm may take to settle: until a member
// that has refused looks again, and the slowest version has been given up, and then
// some.
const quiet = 3*deadline + 2*refusedFor

// world makes a realm as a seed says, and what happens to it.
func world(seed uint64) (*sim, []event) {
	rng := rand.New(rand.NewPCG(seed, 0))
	count := 2 + rng.IntN(6)
	absent := rng.IntN(count)
	if count < 3 {
		absent = -1
	}
	s := newSim(rng, count, absent)
	s.wild, s.swaps = seed%8 == 7, seed%4 == 1
	events := script(rng, count)
	replicas, order := rng.IntN(5), rng.IntN(8)
	s.nodes[(absent+1)%count].sign(func(v *version) {
		v.inst, v.Replicas, v.stopFirst = s.digests, replicas, order < 2
	})
	return s, events
}

// newSim makes a realm of nodes that know each other, and of no workload. One of them
// may be absent, and no member yet.
func newSim(rng *rand.Rand, count, absent int) *sim {
	s := &sim{rng: rng, salt: rng.Uint64(), seen: map[string]int{}}
	for i := range count {
		s.nodes = append(s.nodes, &node{
			sim: s, id: i, alive: i != absent, cpus: 1 + rng.IntN(4), room: rng.IntN(3) > 0,
			sight: make([]sight, count), facts: make([]fact, count), fetched: map[int]bool{}, realm: realm{versions: map[int]*version{}},
		})
	}
	for _, n := range s.nodes {
		for i, o := range s.nodes {
			n.of = append(n.of, settings{member: o.alive, roles: roles[s.salt>>i&3]})
			n.facts[i] = fact{cpus: o.cpus}
			sees := o != n && connected(n, o)
			n.sight[i] = sight{linked: sees, live: sees}
		}
		if n.said = n.facts[n.id]; n.alive {
			n.start()
		}
		s.after(s.between(0, 25*time.Second), func() { s.refresh(n) })
	}
	return s
}

// play runs a sequence of events, those of the seed if there are none, until all has
// settled or something is wrong.
func play(seed uint64, events []event, trace *strings.Builder) *sim {
	s, all := world(seed)
	if events == nil {
		events = all
	}
	s.trace = trace
	s.rng = rand.New(rand.NewPCG(seed, 1))
	for _, e := range events {
		if s.run(e.at); s.problem != "" {
			return s
		}
		s.happen(e)
	}
	// What was to end by itself has 50 s for that.
	s.run(s.now + 50*time.Second)
	s.heal()
	s.run(s.now + quiet)
	if s.problem == "" {
		s.settled()
	}
	if s.problem == "" && s.now-s.acted < 30*time.Second {
		s.fail("it does not come to rest")
	}
	return s
}

// shrink leaves out events for as long as something is wrong.
func shrink(seed uint64, events []event) []event {
	for again := true; again; {
		again = false
		for i := range events {
			fewer := append(append(make([]event, 0, len(events)), events[:i]...), events[i+1:]...)
			if play(seed, fewer, nil).problem != "" {
				events, again = fewer, true
				break
			}
		}
	}
	return events
}

// TestSequences plays random sequences of events. REALM_SEQUENCES is how many,
// REALM_SEED the first.
func TestSequences(t *testing.T) {
	count, first := number(t, "REALM_SEQUENCES", 3000), number(t, "REALM_SEED", 1)
	seen, bad := map[string]int{}, 0
	for seed := first; seed < first+count && bad < 3; seed++ {
		s := play(seed, nil, nil)
		for what, n := range s.seen {
			seen[what] += n
		}
		if s.nodes[0].forked {
			seen["fork"]++
		}
		if s.problem != "" {
			bad++
			_, events := world(seed)
			events = shrink(seed, events)
			var trace strings.Builder
			t.Errorf("REALM_SEED=%d REALM_SEQUENCES=1: %s\nevents: %v\n%s", seed, play(seed, events, &trace).problem, events, trace.String())
		}
	}
	for _, what := range []string{
		"a kept version brought back", "a process that stays away", "a late member passed", "a replica given up and needed again", "a replica given up for others",
		"a replica stopped before the next starts", "a version given up", "a version replaced", "a version started that others run", "fork", "refusal",
	} {
		if t.Logf("%s: %d times", what, seen[what]); seen[what] == 0 && count >= 1000 {
			t.Errorf("%s was not tried", what)
		}
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

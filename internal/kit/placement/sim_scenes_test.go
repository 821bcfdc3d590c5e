package placement_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// scene is a realm of five where a good version runs for a while.
func scene(t *testing.T, seed uint64, replicas int, change func(*version)) *sim {
	t.Helper()
	s := newSim(rand.New(rand.NewPCG(seed, 2)), 5, -1)
	s.trace = new(strings.Builder)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.trace.String())
		}
	})
	s.nodes[0].sign(func(v *version) {
		v.inst, v.Replicas = s.digests, replicas
		change(v)
	})
	s.run(time.Minute)
	if want := s.asked(replicas); s.running() != want {
		t.Fatalf("%d run it after a minute, want %d", s.running(), want)
	}
	return s
}

// asked is how many replicas of five members a number asks for.
func (s *sim) asked(replicas int) int {
	if replicas == 0 {
		return len(s.nodes)
	}
	return replicas
}

func (s *sim) running() (n int) {
	for _, m := range s.nodes {
		if m.good() {
			n++
		}
	}
	return n
}

// updated is how many run the version that is wanted.
func (s *sim) updated() (n int) {
	for _, m := range s.nodes {
		if m.good() && m.run.v == m.wanted {
			n++
		}
	}
	return n
}

// within runs until something is so, and returns how long that took.
func (s *sim) within(t *testing.T, most time.Duration, what string, is func() bool) time.Duration {
	t.Helper()
	begun := s.now
	for !is() {
		if s.now-begun > most || s.problem != "" {
			t.Fatalf("%s: not after %s %s", what, s.now-begun, s.problem)
		}
		s.run(s.now + 10*time.Millisecond)
	}
	return s.now - begun
}

// scenes runs a test for some seeds and numbers of replicas.
func scenes(t *testing.T, do func(t *testing.T, seed uint64, replicas int)) {
	for _, replicas := range []int{1, 2, 3, 0} {
		for seed := range uint64(40) {
			t.Run(fmt.Sprintf("%d replicas, seed %d", replicas, seed), func(t *testing.T) { do(t, seed, replicas) })
		}
	}
}

func startFirst(*version) {}

func TestBadVersionLowersNothing(t *testing.T) {
	var slowest time.Duration
	scenes(t, func(t *testing.T, seed uint64, replicas int) {
		s := scene(t, seed, replicas, startFirst)
		lowest := s.running()
		s.watch = func() { lowest = min(lowest, s.running()) }
		s.nodes[1].sign(func(v *version) { v.inst, v.kind = s.digests, kind(1+seed%2) })
		s.run(s.now + 2*time.Minute)
		s.nodes[2].sign(func(v *version) { v.inst, v.kind = 1, good })
		slowest = max(slowest, s.within(t, 5*time.Second, "roll back", func() bool { return s.updated() == s.asked(replicas) }))
		if lowest < s.asked(replicas) {
			t.Errorf("%d were good at the worst, want %d", lowest, s.asked(replicas))
		}
	})
	t.Logf("a rollback took at most %s", slowest)
}

func TestUpdateLowersNothing(t *testing.T) {
	var slowest time.Duration
	scenes(t, func(t *testing.T, seed uint64, replicas int) {
		s := scene(t, seed, replicas, startFirst)
		lowest := s.running()
		s.watch = func() { lowest = min(lowest, s.running()) }
		s.nodes[1].sign(func(v *version) { v.inst = s.digests })
		took := s.within(t, time.Minute, "update", func() bool { return s.updated() == s.asked(replicas) })
		slowest = max(slowest, took)
		if lowest < s.asked(replicas) {
			t.Errorf("%d were good at the worst, want %d", lowest, s.asked(replicas))
		}
	})
	t.Logf("an update took at most %s", slowest)
}

func TestStopFirstLowersByMaxUnavailable(t *testing.T) {
	for _, bad := range []kind{good, crashes, hangs} {
		scenes(t, func(t *testing.T, seed uint64, replicas int) {
			s := scene(t, seed, replicas, func(v *version) { v.stopFirst = true })
			lowest := s.running()
			s.watch = func() { lowest = min(lowest, s.running()) }
			s.nodes[1].sign(func(v *version) { v.inst, v.kind = s.digests, bad })
			s.run(s.now + 2*time.Minute)
			most := api.DefaultMaxUnavailable.Of(s.asked(replicas))
			if want := s.asked(replicas) - most; lowest < want {
				t.Errorf("%d were good at the worst, want %d", lowest, want)
			}
			if s.running() != s.asked(replicas) {
				t.Errorf("%d are good in the end, want %d", s.running(), s.asked(replicas))
			}
			if bad == good && s.updated() != s.asked(replicas) {
				t.Errorf("%d run the new version, want %d", s.updated(), s.asked(replicas))
			}
		})
	}
}

func TestDeadMembersReplicaRunsElsewhere(t *testing.T) {
	var slowest time.Duration
	scenes(t, func(t *testing.T, seed uint64, replicas int) {
		if replicas == 0 {
			return
		}
		s := scene(t, seed, replicas, startFirst)
		for _, n := range s.nodes {
			n.fetched[1] = true
			if n.good() && s.running() == replicas {
				s.die(n)
			}
		}
		slowest = max(slowest, s.within(t, 20*time.Second, "heal", func() bool { return s.running() == replicas }))
	})
	t.Logf("it took at most %s, of which %s until the loss counted", slowest, detectMax+presumed)
}

func TestDrainAndJoinLowerNothing(t *testing.T) {
	scenes(t, func(t *testing.T, seed uint64, replicas int) {
		if replicas == 0 {
			return
		}
		s := scene(t, seed, replicas, startFirst)
		lowest, highest := s.running(), s.running()
		s.watch = func() { lowest, highest = min(lowest, s.running()), max(highest, s.running()) }
		for _, n := range s.nodes {
			if n.good() {
				s.nodes[seed%5].settle(n.id, func(x *settings) { x.drained = true })
				s.within(t, time.Minute, "drain", func() bool { return !n.good() && s.running() == replicas })
				s.nodes[(seed+1)%5].settle(n.id, func(x *settings) { x.drained = false })
				s.within(t, time.Minute, "resume", func() bool { return n.good() && s.running() == replicas })
				break
			}
		}
		if lowest < replicas || highest > replicas+1 {
			t.Errorf("%d to %d were good, want %d, or one more for a while", lowest, highest, replicas)
		}
	})
}

// TestDownMembersReplicaRunsElsewhere ends the process of a member that runs a replica
// for good. When it is started again after all, it has its replica again, and nobody
// else goes on with one too many.
func TestDownMembersReplicaRunsElsewhere(t *testing.T) {
	var slowest time.Duration
	scenes(t, func(t *testing.T, seed uint64, replicas int) {
		if replicas == 0 {
			return
		}
		s := scene(t, seed, replicas, startFirst)
		down := s.nodes[0]
		for _, n := range s.nodes {
			n.fetched[1] = true
			if n.good() {
				down = n
			}
		}
		down.stop()
		slowest = max(slowest, s.within(t, 25*time.Second, "heal", func() bool { return s.running() == replicas }))
		lowest := replicas
		s.watch = func() { lowest = min(lowest, s.running()) }
		down.start()
		s.within(t, time.Minute, "come back", func() bool { return down.good() && s.running() == replicas })
		s.run(s.now + time.Minute)
		if lowest < replicas || s.running() != replicas || !down.good() {
			t.Errorf("%d were good at the worst, %d are in the end, want %d with the one that was away: %v", lowest, s.running(), replicas, down.good())
		}
	})
	t.Logf("it took at most %s, of which %s until it was said", slowest, downMax)
}

// TestAllDown ends the processes of all members, and starts one again.
func TestAllDown(t *testing.T) {
	for seed := range uint64(20) {
		s := scene(t, seed, 2, startFirst)
		for _, n := range s.nodes {
			n.stop()
		}
		s.run(s.now + time.Minute)
		last := s.nodes[seed%5]
		last.start()
		s.within(t, 20*time.Second, "run on the only one", func() bool { return last.good() })
		s.run(s.now + time.Minute)
		if s.running() != 1 || len(last.rank.In) != 1 {
			t.Errorf("%d run it, and %d could by what the only one knows", s.running(), len(last.rank.In))
		}
		for _, n := range s.nodes {
			if n != last {
				n.start()
			}
		}
		s.within(t, time.Minute, "run as before", func() bool { return s.running() == 2 })
	}
}

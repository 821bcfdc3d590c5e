package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// chaos lets a node die or stall, or divides the realm, every few seconds.
func (s *sim) chaos() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(5) {
	case 0, 1:
		if n.up {
			n.crash(s.rng.IntN(2) == 0)
			s.after(time.Duration(1+s.rng.IntN(40))*time.Second, func() { s.back(n) })
		}
	case 2:
		if n.up {
			n.stalled = s.now.Add(5 * time.Second)
			s.log("** %c stands still", n.id[10])
		}
	case 3:
		for _, o := range s.nodes {
			o.group = s.rng.IntN(2)
		}
		s.log("** the realm is divided: %s", s.groups())
	case 4:
		s.heal()
	}
}

func (s *sim) groups() (out string) {
	for _, n := range s.nodes {
		out += fmt.Sprintf("%c%d ", n.id[10], n.group)
	}
	return out
}

func (s *sim) heal() {
	for _, n := range s.nodes {
		n.group = 0
	}
	s.log("** the realm is whole")
}

func (s *sim) back(n *node) {
	if !n.up {
		n.stalled = time.Time{}
		s.log("** %c is back", n.id[10])
		n.boot()
	}
}

// calm has everybody be back, and waits until all has ended.
func (s *sim) calm(wait time.Duration) {
	s.heal()
	for _, n := range s.nodes {
		s.back(n)
	}
	s.loss = 0
	s.run(wait)
}

// mayhem is a realm in which a lot goes wrong: what is submitted there?
func mayhem(t *testing.T, seed uint64, submit func(s *sim, i int)) *sim {
	s := newSim(t, seed, 3+int(seed%4), 2+int(seed%3))
	s.loss = 0.05
	s.run(time.Duration(s.rng.IntN(20)) * time.Second)
	for i := range 30 {
		submit(s, i)
		if i%3 == 0 {
			s.chaos()
		}
		s.run(time.Duration(s.rng.IntN(4000)) * time.Millisecond)
	}
	s.calm(6 * time.Minute)
	s.agree()
	return s
}

const seeds = 100

// TestMayhem: whatever fails, each run has one result in the end on which all agree, and
// what was accepted changes for a higher success only.
func TestMayhem(t *testing.T) {
	for seed := range uint64(seeds) {
		s := mayhem(t, seed, func(s *sim, i int) {
			if i == 0 {
				s.length = func(book.ID) time.Duration { return time.Duration(s.rng.IntN(20000)) * time.Millisecond }
				s.outcome = func(api.Exec) api.ExecState {
					return []api.ExecState{api.ExecSucceeded, api.ExecSucceeded, api.ExecFailed}[s.rng.IntN(3)]
				}
				s.refuses = func(*node, book.ID) bool { return s.rng.IntN(20) == 0 }
			}
			j := api.Job{Retries: s.rng.IntN(4), Parallelism: 1 + s.rng.IntN(4)}
			if i > 0 && s.rng.IntN(3) == 0 {
				j.Needs = []api.Name{s.jobs[s.rng.IntN(len(s.jobs))].Name}
			}
			root := s.submit(s.rng.IntN(len(s.nodes)), fmt.Sprintf("job-%d", i), j)
			if s.rng.IntN(6) == 0 {
				s.after(time.Duration(s.rng.IntN(15000))*time.Millisecond, func() {
					if n := s.rng.IntN(len(s.nodes)); s.nodes[n].up && s.nodes[n].book.Known(root) {
						s.cancel(n, root)
					}
				})
			}
		})
		if s.cancelled(); s.failed {
			return
		}
	}
}

// cancelled checks that cancelled jobs have nothing under way, and no run that is to come.
func (s *sim) cancelled() {
	for _, j := range s.jobs {
		for _, n := range s.nodes {
			for x := range n.running {
				if j.Cancelled && x.Root == j.Root {
					s.fail(book.ID{Root: x.Root, Run: x.Run}, "%c executes it, and it is cancelled", n.id[10])
				}
			}
		}
	}
}

// TestStrictMayhem: no (run, epoch) is begun twice, or without a majority, nor a run
// anywhere while it is executed elsewhere.
func TestStrictMayhem(t *testing.T) {
	for seed := range uint64(seeds) {
		s := mayhem(t, seed, func(s *sim, i int) {
			s.length = func(book.ID) time.Duration { return time.Duration(s.rng.IntN(15000)) * time.Millisecond }
			j := api.Job{Retries: 50, Once: api.OnceStrict}
			for _, n := range s.nodes[:3] {
				j.Electors = append(j.Electors, n.id)
			}
			s.submit(s.rng.IntN(len(s.nodes)), fmt.Sprintf("job-%d", i), j)
		})
		if s.failed {
			return
		}
	}
}

// TestTakeover: where there is room, a run is begun elsewhere within 12 s of the moment
// at which its member was found dead, and within 20 s of its death.
func TestTakeover(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newSim(t, seed, 5, 64)
		s.run(15 * time.Second)
		s.length = func(book.ID) time.Duration { return time.Minute }
		for i := range 40 {
			s.submit(s.rng.IntN(5), fmt.Sprintf("job-%d", i), api.Job{})
		}
		s.run(5 * time.Second)
		dead := s.nodes[s.rng.IntN(5)]
		dead.crash(false)
		at := s.now
		s.run(20 * time.Second)
		for _, n := range s.nodes {
			for _, j := range s.jobs {
				v := n.book.Run(j.Root, "0")
				if n.up && !s.failed && (v.Current == nil || v.Current.Peer == dead.id) {
					s.fail(v.ID, "20 s after %v nobody has taken it over for %c", at, n.id[10])
				}
			}
		}
		if s.takeover > 12*time.Second {
			s.fail(book.ID{}, "a takeover took %s", s.takeover)
		}
		s.calm(5 * time.Minute)
		if s.agree(); s.failed {
			return
		}
	}
}

// TestReproducible: a seed is enough to see a failure again.
func TestReproducible(t *testing.T) {
	trace := func() (out []string) {
		s := mayhem(t, 4, func(s *sim, i int) {
			j := api.Job{Retries: 3, Parallelism: 2}
			if i%2 == 0 {
				j.Once, j.Electors = api.OnceStrict, []api.PeerID{s.nodes[0].id, s.nodes[1].id, s.nodes[2].id}
			}
			s.submit(s.rng.IntN(len(s.nodes)), fmt.Sprintf("job-%d", i), j)
		})
		for _, l := range s.trace {
			out = append(out, fmt.Sprint(l.at, fmt.Sprintf(l.format, l.args...)))
		}
		return out
	}
	one, two := trace(), trace()
	if i := slices.IndexFunc(one, func(l string) bool { return len(two) == 0 || !slices.Contains(two, l) }); i >= 0 || len(one) != len(two) {
		t.Errorf("of %d and %d lines the first that differs is %d: %s", len(one), len(two), i, one[max(i, 0)])
	}
}

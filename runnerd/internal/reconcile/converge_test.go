package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// runs has version v run for j, and remembers it on the disk.
func (s *sim) runs(j *job, v intent.Signed) {
	j.running, j.since = v, time.Now()
	s.keep(v.Ref, v)
}

// givesUp ends what runs for j. A member that gives up a replica that others need has
// broken the promise, unless one of those was lost a moment ago.
func (s *sim) givesUp(j *job) {
	ref := j.want.Ref
	ran := j.running.Seq != 0 && time.Since(j.since) > 2*burst // else it was decided before
	j.running, j.failed = intent.Signed{}, api.Digest{}
	s.keep(ref, intent.Signed{})
	if !ran || j.want.Tombstone || time.Now().Before(s.forgiven) {
		return
	}
	if left, want := len(s.running(ref)), s.wanted(j.want.Signed); left < want {
		s.Errorf("%s: …%s gives up its replica (%s): %d are left of %d", ref, s.id.Short(), j.want.Why, left, want)
		s.report(ref)
	}
}

// wanted is how many members can run what in asks for, and shall.
func (w *world) wanted(in intent.Signed) int {
	can := 0
	for _, s := range w.live() {
		j := s.jobs[in.Ref]
		if !w.drained(s.id) && (!s.refuses || j != nil && j.running.Digest == in.Digest) {
			can++
		}
	}
	if asks := read(in); asks.Replicas > 0 {
		return min(can, asks.Replicas)
	}
	return can
}

// isSettled checks that all that is wanted runs, in the version wanted where that comes
// up, and no more, but for drained and refusing members that go on with what has no
// place elsewhere.
func (w *world) isSettled(step string) {
	w.Helper()
	for _, ref := range sorted(w.wants) {
		in, runs := w.wants[ref], w.running(ref)
		want := w.wanted(in)
		most := cmp.Or(read(in).Replicas, len(w.live()))
		if in.Tombstone || w.bad[in.Digest] && len(runs) == 0 && w.forgotten(ref) {
			want, most = 0, 0
		}
		stale, fit := 0, 0
		for _, s := range w.live() {
			seq := runs[s.id]
			if seq != 0 && seq != in.Seq && !w.drained(s.id) && !s.refuses {
				stale++
			}
			if seq != 0 && !w.drained(s.id) && !s.refuses {
				fit++
			}
		}
		if len(runs) < want || fit > want || len(runs) > most || !w.bad[in.Digest] && stale > 0 {
			w.Errorf("%s: %s number %d (bad: %v) runs on %v, %d should", step, ref, in.Seq, w.bad[in.Digest], runs, want)
			w.report(ref)
		}
	}
}

// forgotten reports whether nobody who is up and could run ref knows of a version that
// was good: those who did were lost.
func (w *world) forgotten(ref api.Ref) bool {
	return !slices.ContainsFunc(w.live(), func(s *sim) bool {
		s.rec.mu.Lock()
		defer s.rec.mu.Unlock()
		l := s.rec.loads[ref]
		return !s.refuses && !w.drained(s.id) && (s.keeps(ref).Seq != 0 || l != nil && l.served != 0)
	})
}

// report tells what every member thinks of ref.
func (w *world) report(ref api.Ref) {
	w.Helper()
	for _, s := range w.live() {
		x, err := s.rec.Explain(ref)
		if err != nil {
			w.Logf("…%s: %v", s.id.Short(), err)
			continue
		}
		text := ""
		for _, m := range x.Members {
			text += fmt.Sprintf("\n   …%s rank %d %s (%s)", m.Peer.Short(), m.Rank, m.Duty, m.Why)
		}
		f := api.WorkloadFact{}
		if j := s.jobs[ref]; j != nil {
			f = j.fact
		}
		w.Logf("…%s (refuses: %v) says %s of %d, serving %d, and thinks%s", s.id.Short(), s.refuses, f.State, f.Seq, f.Serving, text)
	}
}

func inWorld(t *testing.T, seed uint64, members int, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, members)
		test(w)
		w.end()
	})
}

// settled is long enough for everything to come to rest.
const settled = 30 * time.Second

// TestBadVersion pushes a version that does not come up to five members: never are
// there fewer replicas than before.
func TestBadVersion(t *testing.T) {
	for _, replicas := range []int{0, 3} {
		for seed := range uint64(5) {
			inWorld(t, seed, 5, func(w *world) {
				w.push(web, component(1, replicas), false)
				w.pass(settled)
				w.isSettled("first version")
				before := len(w.running(web))
				w.push(web, component(2, replicas), true)
				for range 100 {
					w.pass(settled / 100)
					if runs := w.running(web); len(runs) < before {
						w.Fatalf("it runs on %v, and on %d members before", runs, before)
					}
				}
				w.isSettled("a bad version")
				tried := 0
				for _, s := range w.sims {
					if j := s.jobs[web]; j != nil && j.failed == w.wants[web].Digest {
						tried++
					}
				}
				if most := max(1, (w.wanted(w.wants[web])*25+99)/100); tried == 0 || tried > most {
					w.Errorf("%d members have tried the bad version, at most %d should", tried, most)
				}
				w.push(web, component(3, replicas), false)
				w.pass(settled)
				w.isSettled("a good version")
			})
		}
	}
}

// TestSuccessor loses a member of three that runs something: another one does within
// the time that it takes to notice.
func TestSuccessor(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, 4, func(w *world) {
			w.push(web, component(1, 2), false)
			w.pass(settled)
			runs := w.running(web)
			i := slices.IndexFunc(w.sims, func(s *sim) bool { return runs[s.id] != 0 })
			gone := w.sims[i]
			gone.stop()
			begun := time.Now()
			for len(w.running(web)) < 2 {
				w.pass(10 * time.Millisecond)
				if time.Since(begun) > noticed+Grace+bringUp+gossip {
					w.report(web)
					w.Fatal("nobody steps in")
				}
			}
			w.pass(settled)
			w.isSettled("a member is gone")
			gone.start()
			for range 100 {
				w.pass(settled / 100)
				if len(w.running(web)) < 2 {
					w.Fatal("a member comes back, and another ends before it is ready")
				}
			}
			w.isSettled("it is back")
		})
	}
}

// TestRunnerDown has runnerd of a member that runs something end for good, while its
// meshd is there: another one does within the time that it takes to say so.
func TestRunnerDown(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, 4, func(w *world) {
			w.push(web, component(1, 2), false)
			w.pass(settled)
			runs := w.running(web)
			i := slices.IndexFunc(w.sims, func(s *sim) bool { return runs[s.id] != 0 })
			gone := w.sims[i]
			gone.goesDown()
			begun := time.Now()
			for len(w.running(web)) < 2 {
				w.pass(10 * time.Millisecond)
				if time.Since(begun) > downMax+bringUp+2*gossip {
					w.report(web)
					w.Fatal("nobody steps in")
				}
			}
			w.pass(settled)
			w.isSettled("its runnerd is down")
			gone.start()
			for range 100 {
				w.pass(settled / 100)
				if len(w.running(web)) < 2 {
					w.Fatal("runnerd comes back, and another one ends what it runs before it is ready")
				}
			}
			w.isSettled("it is back")
		})
	}
}

// TestRestart starts all members anew, one by one, in the middle of an update.
func TestRestart(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, 5, func(w *world) {
			w.push(web, component(1, 3), false)
			w.pass(settled)
			w.push(web, component(2, 3), seed%2 == 0)
			w.pass(w.upTo(3 * time.Second))
			for _, s := range w.sims {
				s.stop()
				w.pass(100 * time.Millisecond)
				s.start()
				w.pass(w.upTo(2 * time.Second))
			}
			w.pass(settled)
			w.isSettled("all were started anew")
		})
	}
}

// TestAnyEvents has members come, go, be drained and refuse, while versions are pushed,
// scaled and removed: in the end it is as it should be, and on the way nobody gives up
// what others need.
func TestAnyEvents(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	refs := []api.Ref{web, {Kind: api.KindComponent, Name: "api"}, {Kind: api.KindComponent, Name: "worker"}, double}
	for seed := range seeds {
		inWorld(t, seed, 2+int(seed%5), func(w *world) {
			for round := range 4 {
				for range 1 + w.rng.IntN(6) {
					w.anything(refs)
					w.pass(w.upTo(4 * time.Second))
				}
				w.pass(settled)
				w.isSettled(fmt.Sprintf("seed %d, round %d", seed, round))
				if w.Failed() {
					return
				}
			}
		})
	}
}

// anything makes something happen.
func (w *world) anything(refs []api.Ref) {
	w.Helper()
	s := w.sims[w.rng.IntN(len(w.sims))]
	ref := refs[w.rng.IntN(len(refs))]
	switch w.rng.IntN(11) {
	case 10:
		if s.up && len(w.live()) > 1 {
			s.goesDown()
		}
	case 0, 1:
		if s.up && len(w.live()) > 1 {
			s.stop()
		}
	case 2, 3:
		if !s.up {
			s.start()
		}
	case 4:
		w.mu.Lock()
		w.drain[s.id] = !w.drain[s.id]
		w.mu.Unlock()
		for _, o := range w.live() {
			o.after(w.upTo(gossip), func() { o.rec.Wanted(changed) })
		}
	case 5:
		s.refuses = !s.refuses
		s.looksAgain()
	case 6:
		if w.wants[ref].Seq != 0 {
			w.push(ref, nil, false)
			return
		}
		fallthrough
	default:
		v := byte(w.rng.IntN(200))
		if ref.Kind == api.KindFunction {
			w.push(ref, function(v), false)
		} else {
			w.push(ref, component(v, w.rng.IntN(4)), w.rng.IntN(4) == 0 && w.wants[ref].Seq != 0 && !w.wants[ref].Tombstone)
		}
	}
}

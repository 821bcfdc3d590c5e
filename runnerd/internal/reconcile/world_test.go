package reconcile

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// Times of the world, which passes in a bubble.
const (
	gossip  = 400 * time.Millisecond  // at most, for a fact or an intent to reach another
	noticed = 2 * time.Second         // at most, until a member that is gone counts as such
	downMin = 15 * time.Second        // at least, until a member says that its runnerd is down
	downMax = 19 * time.Second        // and at most
	backMax = 2500 * time.Millisecond // at most, until it says that it is back
	bringUp = time.Second             // at most, for a version to be ready or to fail
)

// world is several members, each with a Reconciler of its own, which hear of each other
// late, and a program that runs on them.
type world struct {
	*testing.T
	rng   *rand.Rand
	sims  []*sim
	wants map[api.Ref]intent.Signed // newest of each
	bad   map[api.Digest]bool       // versions that do not come up
	deeds []deed                    // in the order of their times
	// forgiven is until when a replica may be given up for one that was lost unnoticed.
	forgiven time.Time

	mu      sync.Mutex // of what Reconcilers ask for
	drain   map[api.PeerID]bool
	history map[api.Ref]map[uint64]intent.Signed // all that was signed, by number
}

// deed is what happens at a time.
type deed struct {
	at time.Time
	do func()
}

// sim is a member of a world.
type sim struct {
	*world
	id      api.PeerID
	up      bool
	life    int // counts its starts
	rec     *Reconciler
	end     func()
	applied chan workload.Want
	known   map[api.Ref]intent.Signed
	jobs    map[api.Ref]*job
	kept    map[api.Ref]intent.Signed // on its disk; under mu
	refuses bool
	down    bool                     // it says that its runnerd is, and nothing else
	heard   map[api.PeerID]time.Time // when the last message to each of the others arrives
}

// job is a workload on a member: a small likeness of package workload.
type job struct {
	want    workload.Want
	running intent.Signed // Seq is 0 for nothing
	since   time.Time     // of running
	trying  api.Digest
	failed  api.Digest
	refused api.Digest
	fact    api.WorkloadFact
}

func newWorld(t *testing.T, seed uint64, members int) *world {
	w := &world{T: t, rng: rand.New(rand.NewPCG(seed, 1)), wants: map[api.Ref]intent.Signed{}, bad: map[api.Digest]bool{},
		drain: map[api.PeerID]bool{}, history: map[api.Ref]map[uint64]intent.Signed{}}
	for i := range members {
		s := &sim{world: w, id: peer(i + 1), kept: map[api.Ref]intent.Signed{}, known: map[api.Ref]intent.Signed{}}
		w.sims = append(w.sims, s)
	}
	for _, s := range w.sims {
		s.start()
	}
	return w
}

// sim as [Realm]: everybody is a member, and knows of settings at once.

func (s *sim) Members() (out []api.PeerID) {
	for _, o := range s.sims {
		out = append(out, o.id)
	}
	return out
}

func (s *sim) Terms(p api.PeerID, own []string) ([]string, bool) { return own, s.drained(p) }

func (s *sim) Version(ref api.Ref, seq uint64) (intent.Signed, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.history[ref][seq]
	return v, v.Seq != 0
}

func (w *world) drained(p api.PeerID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drain[p]
}

// keep has v be what s keeps of ref; the zero intent: nothing.
func (s *sim) keep(ref api.Ref, v intent.Signed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[ref] = v
}

func (s *sim) keeps(ref api.Ref) intent.Signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[ref]
}

// after has f happen once d has passed, unless s has ended or started again by then.
func (s *sim) after(d time.Duration, f func()) {
	life := s.life
	s.at(time.Now().Add(d), func() {
		if s.up && s.life == life {
			f()
		}
	})
}

func (w *world) at(t time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(w.deeds, t, func(d deed, t time.Time) int {
		if d.at.After(t) {
			return 1
		}
		return -1 // after those of the same time
	})
	w.deeds = slices.Insert(w.deeds, i, deed{t, do})
}

// pass lets d pass.
func (w *world) pass(d time.Duration) {
	const step = 5 * time.Millisecond
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(step)
		synctest.Wait()
		for _, s := range w.sims {
			s.apply()
		}
		for len(w.deeds) > 0 && !w.deeds[0].at.After(time.Now()) {
			do := w.deeds[0].do
			w.deeds = w.deeds[1:]
			do()
		}
	}
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// start has s come up, with what lies on its disk, and hear of the others.
func (s *sim) start() {
	s.up, s.life = true, s.life+1
	s.jobs, s.heard = map[api.Ref]*job{}, map[api.PeerID]time.Time{}
	s.applied = make(chan workload.Want, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	applied := s.applied
	s.rec = New(Config{Self: s.id, Realm: s, Now: time.Now,
		Kept:  func(r api.Ref) bool { return s.keeps(r).Seq != 0 },
		Apply: func(_ context.Context, w workload.Want) error { applied <- w; return nil }})
	ended := make(chan error, 1)
	rec := s.rec
	go func() { ended <- rec.Run(ctx) }()
	s.end = func() {
		cancel()
		check(s, <-ended)
	}
	for _, src := range []Source{Records, Facts} {
		s.rec.Begin(src)
		s.rec.End(src)
	}
	for _, in := range s.known {
		s.rec.Wanted(wanted.Change{Wants: []wanted.Want{{Signed: in}}})
	}
	s.rec.End(Intents)
	for _, o := range s.sims {
		switch {
		case o == s:
		case o.up:
			o.meets(s)
			s.meets(o)
		case o.down:
			o.tellsDown(s)
		}
	}
	s.after(s.upTo(backMax), s.isBack)
}

// isBack has s say that its runnerd is not down any more, and what that runs.
func (s *sim) isBack() {
	if !s.down {
		return
	}
	s.down = false
	for _, o := range s.live() {
		if o != s {
			s.meets(o)
		}
	}
}

// goesDown has runnerd of s end for good, without the rest of the node.
func (s *sim) goesDown() {
	s.ends(downMax + gossip)
	life := s.life
	s.at(time.Now().Add(downMin+s.upTo(downMax-downMin)), func() {
		if s.up || s.life != life {
			return
		}
		s.down = true
		for _, o := range s.live() {
			s.tellsDown(o)
		}
	})
}

// tellsDown has o hear that runnerd of s is down, and takes back what that has said.
func (s *sim) tellsDown(o *sim) {
	s.send(o, func() {
		tell := []func(){
			func() {
				o.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: s.id, Down: api.DaemonList{api.Runnerd}}, Live: true})
			},
			func() {
				for ref := range s.wants {
					o.rec.FactGone(ref, s.id)
				}
			},
		}
		first := s.rng.IntN(2) // two watches of a bus keep no order
		tell[first]()
		tell[1-first]()
	})
}

// meets has s tell o that it is there, and all that it has to say.
func (s *sim) meets(o *sim) {
	if s.down {
		s.tellsDown(o)
		return
	}
	s.send(o, func() { o.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: s.id}, Live: true}) })
	for _, ref := range sorted(s.jobs) {
		if f := s.jobs[ref].fact; f.State != "" {
			s.send(o, func() { o.rec.Fact(f) })
		}
	}
	for _, ref := range sorted(s.known) {
		in := s.known[ref]
		s.send(o, func() { o.learn(in) })
	}
}

// send has do happen at o, after what was sent before.
func (s *sim) send(o *sim, do func()) {
	arrives := time.Now().Add(s.upTo(gossip))
	if last := s.heard[o.id]; last.After(arrives) {
		arrives = last
	}
	s.heard[o.id] = arrives
	life, mine := o.life, s.life
	s.at(arrives, func() {
		if o.up && o.life == life && s.life == mine {
			do()
		}
	})
}

// stop has s end without notice: its disk stays.
func (s *sim) stop() {
	s.ends(Grace + noticed)
	s.down = false
	for _, o := range s.sims {
		if o == s || !o.up {
			continue
		}
		life, mine := o.life, s.life
		at := time.Now().Add(s.upTo(noticed))
		if last := s.heard[o.id]; last.After(at) {
			at = last
		}
		s.at(at, func() {
			if !o.up || o.life != life || s.up && s.life != mine {
				return
			}
			o.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: s.id}})
			for ref := range s.wants {
				o.rec.FactGone(ref, s.id)
			}
		})
	}
}

// ends has the process of s end; others find out within the time given.
func (s *sim) ends(known time.Duration) {
	s.up = false
	if until := time.Now().Add(known); until.After(s.forgiven) {
		s.forgiven = until
	}
	s.end()
}

// learn has s accept an intent, and pass it on.
func (s *sim) learn(in intent.Signed) {
	if !in.Version().Newer(s.known[in.Ref].Version()) {
		return
	}
	s.known[in.Ref] = in
	s.rec.Wanted(wanted.Change{Wants: []wanted.Want{{Signed: in, News: true}}})
	for _, o := range s.sims {
		if o != s && o.up {
			s.send(o, func() { o.learn(in) })
		}
	}
}

// push signs a version of ref and has some member accept it.
func (w *world) push(ref api.Ref, body any, bad bool) {
	w.Helper()
	in := sign(w, owner, ref, w.wants[ref].Seq+1, body)
	w.wants[ref], w.bad[in.Digest] = in, bad
	w.mu.Lock()
	if w.history[ref] == nil {
		w.history[ref] = map[uint64]intent.Signed{}
	}
	w.history[ref][in.Seq] = in
	w.mu.Unlock()
	if up := w.live(); len(up) > 0 {
		up[w.rng.IntN(len(up))].learn(in)
	}
}

func (w *world) live() (out []*sim) {
	for _, s := range w.sims {
		if s.up {
			out = append(out, s)
		}
	}
	return out
}

// running is which versions run where.
func (w *world) running(ref api.Ref) map[api.PeerID]uint64 {
	out := map[api.PeerID]uint64{}
	for _, s := range w.live() {
		if j := s.jobs[ref]; j != nil && j.running.Seq != 0 {
			out[s.id] = j.running.Seq
		}
	}
	return out
}

func (w *world) end() {
	for _, s := range w.live() {
		s.end()
	}
}

func sorted[V any](m map[api.Ref]V) []api.Ref {
	return slices.SortedFunc(maps.Keys(m), func(a, b api.Ref) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
}

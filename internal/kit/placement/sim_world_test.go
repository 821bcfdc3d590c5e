package placement_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// Times of the simulated realm.
const (
	detectMin   = time.Second      // after which a member at the earliest sees that another is gone
	detectMax   = 10 * time.Second // and at the latest
	presumed    = 5 * time.Second  // that a member counts as up after
	burst       = 20 * time.Millisecond
	deadline    = 20 * time.Second // of a version to be ready
	refusedFor  = 60 * time.Second
	downMin     = 15 * time.Second        // after which a member at the earliest says that its process is down
	downMax     = 19 * time.Second        // and at the latest
	backMost    = 2500 * time.Millisecond // that it takes to say that it is back
	orderlyMost = 1200 * time.Millisecond // that a fact takes to get round; twice that is below the pause
	wildMost    = 8 * time.Second

	// forgiven is how long after a mishap fewer replicas may be good: until all have seen
	// it, and a little more.
	forgiven = detectMax + presumed + placement.Pause + 4*time.Second
)

// sim is a realm with one workload, in virtual time: nothing happens between two
// entries of its queue.
type sim struct {
	rng     *rand.Rand
	wild    bool // facts may take longer than the pause
	swaps   bool // rankings depend on who is up, as those of PlaceAll
	salt    uint64
	now     time.Duration
	queue   queue
	posted  int
	nodes   []*node
	unrest  time.Duration // when ranks may have changed last
	digests int
	ambush  func(*node)    // strikes the member where something is ready next
	acted   time.Duration  // when a replica was last stopped or started on purpose
	seen    map[string]int // how often something was tried
	trace   *strings.Builder
	problem string
	watch   func() // after everything that happens; nil: nobody
}

// task is something that happens at a time.
type task struct {
	at time.Duration
	n  int
	do func()
}

type queue []task

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at || q[i].at == q[j].at && q[i].n < q[j].n }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(task)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1].do = nil
	*q = old[:len(old)-1]
	return x
}

func (s *sim) after(d time.Duration, do func()) {
	s.posted++
	heap.Push(&s.queue, task{s.now + d, s.posted, do})
}

// run lets the world turn until a time, or until something is wrong.
func (s *sim) run(until time.Duration) {
	for len(s.queue) > 0 && s.queue[0].at <= until && s.problem == "" {
		t := heap.Pop(&s.queue).(task)
		s.now = t.at
		t.do()
		if s.watch != nil {
			s.watch()
		}
	}
	s.now = until
}

func (s *sim) fail(format string, args ...any) {
	if s.problem == "" {
		s.problem = fmt.Sprintf("at %s: ", s.now) + fmt.Sprintf(format, args...)
		s.note(nil, "%s", s.problem)
	}
}

// saw counts that something was tried.
func (s *sim) saw(what string) { s.seen[what]++ }

// note writes into the trace, if there is one.
func (s *sim) note(n *node, format string, args ...any) {
	if s.trace == nil {
		return
	}
	who := "-"
	if n != nil {
		who = n.String()
	}
	fmt.Fprintf(s.trace, "%9.3f %s %s\n", s.now.Seconds(), who, fmt.Sprintf(format, args...))
}

// between draws a time.
func (s *sim) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.rng.Int64N(int64(hi-lo)+1))
}

// delay of a message.
func (s *sim) delay() time.Duration {
	switch r := s.rng.IntN(50); {
	case s.wild && r < 10:
		return s.between(0, wildMost)
	case r < 40:
		return s.between(5*time.Millisecond, 100*time.Millisecond)
	case r < 49:
		return s.between(100*time.Millisecond, 500*time.Millisecond)
	}
	return s.between(500*time.Millisecond, orderlyMost)
}

// connected reports whether messages get from a to b.
func connected(a, b *node) bool { return a.alive && b.alive && a.group == b.group }

// links takes note of who has lost or gained sight of whom, each pair by itself.
func (s *sim) links() {
	for _, a := range s.nodes {
		for _, b := range s.nodes {
			if is := connected(a, b); a != b && a.sight[b.id].linked != is {
				s.link(a, b, is)
			}
		}
	}
}

func (s *sim) link(a, b *node, is bool) {
	l := &a.sight[b.id]
	l.linked, l.changes = is, l.changes+1
	changes := l.changes
	if !is {
		l.parted = s.now
		s.after(s.between(detectMin, detectMax), func() {
			if l.changes == changes && a.alive {
				l.live, l.last = false, s.now
				a.wake()
				s.after(presumed, func() {
					if !l.live { // what it runs is not known any more
						a.facts[b.id] = fact{cpus: a.facts[b.id].cpus, down: a.facts[b.id].down}
						a.wake()
					}
				})
			}
		})
		return
	}
	s.after(s.between(10*time.Millisecond, time.Second), func() {
		if l.changes == changes {
			l.live = true
			a.learn(b)
			a.wake()
		}
	})
}

// refresh has each member ask all others now and then for what it has missed.
func (s *sim) refresh(n *node) {
	for _, o := range s.nodes {
		if n.sight[o.id].live && connected(n, o) {
			before, f := n.changes, n.facts[o.id]
			n.merge(&o.realm)
			n.hear(o, o.said)
			if n.changes != before || n.facts[o.id] != f {
				n.wake()
			}
		}
	}
	s.after(s.between(15*time.Second, 25*time.Second), func() { s.refresh(n) })
}

// tell has a message of from reach all that are connected to it when it arrives.
func (s *sim) tell(from *node, what func(to *node)) {
	for _, to := range s.nodes {
		if to != from && connected(from, to) {
			s.after(s.delay(), func() {
				if connected(from, to) {
					what(to)
					to.wake()
				}
			})
		}
	}
}

// version is one version of the workload. Versions are ordered by number, and equal
// ones by digest.
type version struct {
	seq    int
	digest int
	inst   int // what instances are made of
	kind   kind
	placement.Workload
	stopFirst bool
	most      api.Share
	stopped   bool
	removed   bool
}

// kind is what becomes of instances of a version.
type kind int

const (
	good kind = iota
	crashes
	hangs
)

func (v *version) before(o *version) bool {
	return v == nil || v.seq < o.seq || v.seq == o.seq && v.digest < o.digest
}

func (v *version) String() string {
	if v == nil {
		return "nothing"
	}
	s := fmt.Sprintf("v%d.%d(%s", v.seq, v.digest, [...]string{"good", "crashes", "hangs"}[v.kind])
	for _, f := range []struct {
		is   bool
		name string
	}{{v.stopFirst, "stop-first"}, {v.stopped, "stopped"}, {v.removed, "removed"}, {v.MemoryMB > 0, "big"}} {
		if f.is {
			s += " " + f.name
		}
	}
	return fmt.Sprintf("%s ×%d %s i%d)", s, v.Replicas, strings.Join(v.Target.Tags, ","), v.inst)
}

// sum is the digest of a version as others know it.
func (v *version) sum() (d api.Digest) {
	d[0], d[1], d[2] = byte(v.digest), byte(v.digest>>8), 1
	return d
}

// settings are what the owner wants of a member.
type settings struct {
	seq     int
	member  bool
	drained bool
	roles   []string
}

// realm is what one member knows of all that was signed.
type realm struct {
	wanted   *version
	versions map[int]*version // by number
	of       []settings       // by node
	forked   bool             // two versions had the same number
	changes  int
}

// take merges a version; false: it is no news.
func (r *realm) take(v *version) bool {
	if old := r.versions[v.seq]; old.before(v) {
		r.versions[v.seq] = v
	}
	if !r.wanted.before(v) {
		return false
	}
	r.forked = r.forked || r.wanted != nil && r.wanted.seq == v.seq
	r.wanted = v
	r.changes++
	return true
}

func (r *realm) set(node int, to settings) {
	if r.of[node].seq < to.seq {
		r.of[node] = to
		r.changes++
	}
}

func (r *realm) merge(o *realm) {
	for _, v := range o.versions {
		r.take(v)
	}
	for i, x := range o.of {
		r.set(i, x)
	}
}

// fact is what a node says of itself.
type fact struct {
	epoch, seq int
	cpus       int
	about      int // digest
	number     int
	state      api.State
	serving    int
	restarts   int
	down       bool // the process that decides; nothing is said then of what it does
}

func (f fact) phase(wanted int) placement.Phase {
	if f.about != wanted {
		return placement.PhaseNone
	}
	switch f.state {
	case api.StatePrepared:
		return placement.PhasePrepared
	case api.StateStarting:
		return placement.PhaseStarting
	case api.StateBackoff:
		if f.restarts < 3 {
			return placement.PhaseStarting
		}
		return placement.PhaseFailed
	case api.StateRunning:
		return placement.PhaseReady
	case api.StateFailed:
		return placement.PhaseFailed
	case api.StateRefused:
		return placement.PhaseRefused
	}
	return placement.PhaseNone
}

func (f fact) good() bool { return f.state == api.StateRunning || f.serving != 0 }

// answers is the number of the version that runs there; 0: none.
func (f fact) answers() int {
	if f.serving == 0 && f.good() {
		return f.number
	}
	return f.serving
}

func (f fact) after(o fact) bool { return f.epoch > o.epoch || f.epoch == o.epoch && f.seq > o.seq }

func (f fact) same(o fact) bool {
	f.epoch, f.seq = o.epoch, o.seq
	return f == o
}

// peers are ids of members, in no order.
var peers = func() (out []api.PeerID) {
	for i := range 8 {
		tail := strings.Repeat(string("123456789ABCDEFGHJKLMNPQRSTUVWXYZ"[i*7%33]), 43)
		out = append(out, api.PeerID("12D3KooW"+tail+string("ABCDEFGH"[i])))
	}
	return out
}()

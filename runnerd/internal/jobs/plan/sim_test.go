package plan_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// sim is a realm of nodes in virtual time: real books and planners, a network that
// delays, loses and divides, and executors that only wait.
type sim struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	start  time.Time
	now    time.Time
	events events
	seq    int
	nodes  []*node
	trace  []line
	failed bool

	loss     float64                             // of a message
	length   func(book.ID) time.Duration         // of an execution
	outcome  func(x api.Exec) api.ExecState      // of an execution
	refuses  func(n *node, id book.ID) bool      // a member cannot execute it after all
	jobs     []book.Job                          // all that were submitted
	started  map[book.ID]int                     // executions begun
	epochs   map[book.ID]map[int]api.PeerID      // of strict runs: who began which
	finals   map[api.PeerID]map[book.ID]api.Exec // accepted successes, as nodes have shown them
	gone     map[api.PeerID]time.Time            // when a node first saw that another is dead
	takeover time.Duration                       // the longest that a takeover took since
	alone    bool                                // nothing begins beside a run of an earlier instant
}

func newSim(t *testing.T, seed uint64, nodes, cpus int) *sim {
	return newSimAt(t, seed, nodes, cpus, time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC))
}

func newSimAt(t *testing.T, seed uint64, nodes, cpus int, start time.Time) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 8)), start: start,
		started: map[book.ID]int{}, epochs: map[book.ID]map[int]api.PeerID{}, finals: map[api.PeerID]map[book.ID]api.Exec{}, gone: map[api.PeerID]time.Time{}}
	s.now = s.start
	s.length = func(book.ID) time.Duration { return time.Duration(50+s.rng.IntN(2000)) * time.Millisecond }
	s.outcome = func(api.Exec) api.ExecState { return api.ExecSucceeded }
	s.refuses = func(*node, book.ID) bool { return false }
	for i := range nodes {
		n := &node{s: s, i: i, id: api.PeerID("12D3KooW" + strings.Repeat(string(rune('a'+i)), 44)), cpus: cpus,
			jobs: map[api.Digest]book.Job{}, store: map[api.Exec]api.JobRecord{}, votes: map[api.JobClaim]promise{}, running: map[api.Exec]*execution{}}
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		n.boot()
		s.every(n, time.Second, n.watch)
		s.every(n, 4*time.Second, n.sync)
	}
	return s
}

// event is something that happens at a time.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if c := e[i].at.Compare(e[j].at); c != 0 {
		return c < 0
	}
	return e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// after has something happen later.
func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, event{s.now.Add(d), s.seq, do})
}

// on has something happen at n later, if it is still up, in the same life.
func (s *sim) on(n *node, d time.Duration, do func()) {
	life := n.life
	s.after(d, func() {
		switch {
		case !n.up || n.life != life:
		case n.stalled.After(s.now):
			s.on(n, n.stalled.Sub(s.now), do)
		default:
			do()
		}
	})
}

func (s *sim) every(n *node, d time.Duration, do func()) {
	var again func()
	again = func() {
		if n.up && !n.stalled.After(s.now) {
			do()
		}
		s.after(d, again)
	}
	s.after(time.Duration(s.rng.Int64N(int64(d))), again)
}

// run lets time pass.
func (s *sim) run(d time.Duration) {
	until := s.now.Add(d)
	for len(s.events) > 0 && !s.events[0].at.After(until) && !s.failed {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	s.now = until
}

// send brings a message to another node, or does not.
func (s *sim) send(from, to *node, do func()) {
	if from != to && (!s.reach(from, to) || s.rng.Float64() < s.loss) {
		return
	}
	delay := time.Millisecond
	if from != to {
		delay += time.Duration(s.rng.IntN(60)) * time.Millisecond
		if s.rng.IntN(50) == 0 {
			delay += time.Duration(s.rng.IntN(800)) * time.Millisecond
		}
	}
	s.after(delay, func() {
		if s.reach(from, to) {
			s.on(to, 0, do)
		}
	})
}

func (s *sim) reach(a, b *node) bool { return a.group == b.group && b.up }

func (s *sim) log(format string, args ...any) {
	s.trace = append(s.trace, line{s.now, format, args})
}

// fail ends the simulation with all that has happened about id.
func (s *sim) fail(id book.ID, format string, args ...any) {
	if s.failed {
		return
	}
	s.failed = true
	var about []string
	key := short(id)
	for _, e := range s.trace {
		l := fmt.Sprintf("%9.3f ", e.at.Sub(s.start).Seconds()) + fmt.Sprintf(e.format, e.args...)
		if id == (book.ID{}) || strings.Contains(l, key) || strings.Contains(l, "** ") {
			about = append(about, l)
		}
	}
	s.t.Errorf("seed %d, at %.3f: %s: %s\n%s", s.seed, s.now.Sub(s.start).Seconds(), key, fmt.Sprintf(format, args...), strings.Join(about[max(0, len(about)-150):], "\n"))
}

func short(id book.ID) string { return id.Root.String()[:6] + "/" + string(id.Run) }

// execName is an execution that is written out when somebody reads it.
type execName api.Exec

func (x execName) String() string {
	return fmt.Sprintf("%s e%d on %c", short(book.ID{Root: x.Root, Run: x.Run}), x.Epoch, x.Peer[10])
}

// line is one of the trace, formatted when somebody reads it.
type line struct {
	at     time.Time
	format string
	args   []any
}

// submit has a job be known at one node, from where it spreads.
func (s *sim) submit(at int, name string, body api.Job, more ...func(*book.Job)) api.Digest {
	if body.Type == "" {
		body.Type = api.JobOneShot
	}
	body.Runtime.Type = api.RuntimeNative
	j := book.Job{Root: api.Sum([]byte(fmt.Sprint(name, len(s.jobs)))), Name: api.Name(name), Body: &body, Issued: s.now, Seq: 1}
	for _, f := range more {
		f(&j)
	}
	s.jobs = append(s.jobs, j)
	s.log("** %s is submitted at %c: %s", j.Root.String()[:6], s.nodes[at].id[10], name)
	s.nodes[at].learn(j)
	return j.Root
}

// cancel has the owner cancel a job.
func (s *sim) cancel(at int, root api.Digest) {
	for i := range s.jobs {
		if s.jobs[i].Root == root {
			s.jobs[i].Cancelled, s.jobs[i].Seq = true, 2
			s.log("** %s is cancelled at %c", root.String()[:6], s.nodes[at].id[10])
			s.nodes[at].learn(s.jobs[i])
		}
	}
}

// members are all nodes as n sees them.
func (s *sim) members(n *node) []plan.Member {
	var out []plan.Member
	for _, o := range s.nodes {
		m := plan.Member{Platform: "linux/amd64", Powers: api.Powers{Native: true}, Live: o == n || n.sees[o.i]}
		m.Peer, m.Capacity = o.id, api.Capacity{CPUs: o.cpus}
		out = append(out, m)
	}
	return out
}

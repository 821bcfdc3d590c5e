package plan_test

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// node is one member: what is on its disk, and what a life of it has in memory.
type node struct {
	s     *sim
	i     int
	id    api.PeerID
	cpus  int
	group int // nodes of one group reach each other

	digest  uint64 // of store
	jobs    map[api.Digest]book.Job
	store   map[api.Exec]api.JobRecord
	votes   map[api.JobClaim]promise
	running map[api.Exec]*execution // may outlive a life

	up      bool
	life    int
	stalled time.Time
	book    *book.Book
	plan    *plan.Planner
	heard   []time.Time
	sees    []bool
	planned bool
	wake    int
}

type promise struct {
	peer  api.PeerID
	round int64
}

// execution is a program that runs.
type execution struct {
	x    api.Exec
	end  api.ExecState // where it has ended while its node was away
	stop bool
}

// boot begins a life.
func (n *node) boot() {
	n.up, n.life = true, n.life+1
	n.book = book.New(n.id)
	n.plan = plan.New(n.id, n.book)
	n.heard, n.sees, n.planned = make([]time.Time, len(n.s.nodes)+10), make([]bool, len(n.s.nodes)+10), false
	for i := range n.sees {
		n.heard[i], n.sees[i] = n.s.now, true
	}
	for _, rec := range sorted(n.store, func(*api.JobRecord) bool { return true }) {
		n.book.Put(rec)
		if e := n.running[rec.Exec()]; rec.Peer == n.id && !rec.State.Ended() {
			switch {
			case e == nil:
				n.say(rec, api.ExecLost, "its node ended")
			case e.end != "":
				n.say(rec, e.end, "")
				delete(n.running, e.x)
			}
		}
	}
	for _, root := range n.roots() {
		n.book.SetJob(n.jobs[root])
	}
	n.members()
}

func sorted(store map[api.Exec]api.JobRecord, which func(*api.JobRecord) bool) []api.JobRecord {
	var out []api.JobRecord
	for _, rec := range store {
		if which(&rec) {
			out = append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b api.JobRecord) int {
		return cmp.Or(a.Root.Compare(b.Root), cmp.Compare(a.Run, b.Run), a.Exec().Compare(b.Exec()))
	})
	return out
}

func (n *node) roots() []api.Digest {
	out := make([]api.Digest, 0, len(n.jobs))
	for root := range n.jobs {
		out = append(out, root)
	}
	slices.SortFunc(out, api.Digest.Compare)
	return out
}

// crash ends a life; programs go on where they can.
func (n *node) crash(keeps bool) {
	n.s.log("** %c dies, its executions %v", n.id[10], map[bool]string{true: "go on", false: "with it"}[keeps])
	n.up = false
	if !keeps {
		clear(n.running)
	}
}

// watch is what discovery does: who has not been heard of for a while is dead.
func (n *node) watch() {
	changed := false
	for _, o := range n.s.nodes {
		if o == n || n.s.reach(n, o) && !o.stalled.After(n.s.now) {
			n.heard[o.i] = n.s.now
		}
		sees := n.s.now.Sub(n.heard[o.i]) < 7*time.Second
		if sees == n.sees[o.i] {
			continue
		}
		n.sees[o.i], changed = sees, true
		n.s.log("** %c sees %c: %v", n.id[10], o.id[10], sees)
		if !sees && n.s.gone[o.id].IsZero() {
			n.s.gone[o.id] = n.s.now
		}
	}
	if changed {
		n.members()
	}
}

func (n *node) members() {
	n.plan.SetMembers(n.s.members(n), n.s.now)
	n.kick()
}

// learn takes in a version of a job.
func (n *node) learn(j book.Job) {
	if old, known := n.jobs[j.Root]; known && old.Seq >= j.Seq {
		return
	}
	n.jobs[j.Root] = j
	n.book.SetJob(j)
	n.kick()
	for _, o := range n.s.nodes {
		if o != n {
			n.s.send(n, o, func() { o.learn(j) })
		}
	}
}

// put takes in records.
func (n *node) put(recs ...api.JobRecord) {
	for _, rec := range recs {
		old, known := n.store[rec.Exec()]
		if known && !rec.Newer(&old) {
			continue
		}
		if known {
			n.digest ^= mark(&old)
		}
		n.store[rec.Exec()] = rec
		n.digest ^= mark(&rec)
		n.book.Put(rec)
		n.check(book.ID{Root: rec.Root, Run: rec.Run})
		n.kick()
	}
}

// say has n say what became of an execution of its own.
func (n *node) say(rec api.JobRecord, state api.ExecState, why string) {
	rec.Seq++
	rec.State, rec.Reason = state, why
	switch {
	case state == api.ExecRunning:
		rec.Started = n.s.now
	case state.Ended():
		rec.Ended = n.s.now
	}
	n.s.log("%s: %s %s", execName(rec.Exec()), state, why)
	n.put(rec)
	for _, o := range n.s.nodes {
		if o != n {
			n.s.send(n, o, func() { o.put(rec) })
		}
	}
}

// sync compares what n has with what another node has, and each gives the other the rest.
func (n *node) sync() {
	o := n.s.nodes[n.s.rng.IntN(len(n.s.nodes))]
	if o == n {
		return
	}
	n.s.send(n, o, func() {
		n.give(o)
		o.give(n)
	})
}

var seedOfMarks = maphash.MakeSeed()

// mark is what a record adds to the digest of a store.
func mark(rec *api.JobRecord) uint64 {
	return maphash.Comparable(seedOfMarks, struct {
		api.Exec
		seq uint64
	}{rec.Exec(), rec.Seq})
}

func (n *node) give(to *node) {
	var jobs []book.Job
	for _, root := range n.roots() {
		if j := n.jobs[root]; to.jobs[root].Seq < j.Seq {
			jobs = append(jobs, j)
		}
	}
	if len(jobs) == 0 && n.digest == to.digest {
		return
	}
	recs := sorted(n.store, func(rec *api.JobRecord) bool {
		old, known := to.store[rec.Exec()]
		return !known || rec.Newer(&old)
	})
	n.s.send(n, to, func() {
		for _, j := range jobs {
			to.learn(j)
		}
		to.put(recs...)
	})
}

// kick has n plan soon.
func (n *node) kick() {
	if n.planned {
		return
	}
	n.planned = true
	n.s.on(n, time.Millisecond, n.think)
}

// think plans, and does what was planned.
func (n *node) think() {
	n.planned = false
	p := n.plan.Plan(n.s.now, plan.RoomOf(api.Capacity{CPUs: n.cpus}))
	for _, v := range p.Verdicts {
		n.say(api.JobRecord{Root: v.Exec.Root, Run: v.Exec.Run, Epoch: v.Exec.Epoch, Peer: n.id, Cause: v.Cause, Claimed: n.s.now}, v.State, v.Why)
	}
	for _, st := range p.Stops {
		n.stop(st)
	}
	for _, c := range p.Claims {
		n.claim(c)
	}
	for _, t := range p.Takes {
		n.take(t)
	}
	for _, r := range p.Release {
		n.release(r.Exec, r.Electors, r.Round)
	}
	n.wake++
	if wake := n.wake; !p.Wake.IsZero() {
		n.s.on(n, max(p.Wake.Sub(n.s.now), time.Millisecond), func() {
			if n.wake == wake {
				n.kick()
			}
		})
	}
}

// begin executes.
func (n *node) begin(c plan.Claim) {
	id := book.ID{Root: c.Exec.Root, Run: c.Exec.Run}
	n.s.began(n, c)
	rec := api.JobRecord{Root: id.Root, Run: id.Run, Epoch: c.Exec.Epoch, Peer: n.id, Cause: c.Cause, Claimed: n.s.now}
	n.say(rec, api.ExecClaimed, string(c.Cause))
	if n.s.refuses(n, id) {
		n.say(n.store[c.Exec], api.ExecMoved, "it cannot")
		return
	}
	n.s.started[id]++
	e := &execution{x: c.Exec}
	n.running[c.Exec] = e
	n.s.on(n, time.Duration(5+n.s.rng.IntN(50))*time.Millisecond, func() {
		if n.running[c.Exec] == e && !e.stop {
			n.say(n.store[c.Exec], api.ExecRunning, "")
		}
	})
	n.s.after(n.s.length(id), func() { n.end(e) })
}

// end is a program's own end.
func (n *node) end(e *execution) {
	if n.running[e.x] != e {
		return
	}
	if e.end = n.s.outcome(e.x); !n.up {
		return // its node finds that when it is back
	}
	n.s.on(n, 0, func() {
		if n.running[e.x] == e {
			delete(n.running, e.x)
			n.say(n.store[e.x], e.end, "")
		}
	})
}

// stop ends a program.
func (n *node) stop(st plan.Stop) {
	e := n.running[st.Exec]
	if e == nil {
		return
	}
	e.stop = true
	n.s.on(n, time.Duration(n.s.rng.IntN(1000))*time.Millisecond, func() {
		if n.running[e.x] == e {
			delete(n.running, e.x)
			n.say(n.store[e.x], st.As, st.Why)
		}
	})
}

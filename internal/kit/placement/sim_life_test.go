package placement_test

import (
	"cmp"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// inst is an instance of a version on a node.
type inst struct {
	v        *version
	state    api.State
	restarts int
	proven   bool // it was ready once
	late     bool
	began    int // how often it was started
}

// act does what runnerd does for a duty.
func (n *node) act(v placement.Verdict) {
	unfit := v.Rank == 0
	w := n.wanted
	switch {
	case w.stopped && (v.Duty == api.DutyRun || v.Duty == api.DutyHold):
		n.clear()
		n.kept = nil
	case v.Duty == api.DutyNone && (unfit || n.refused != w.digest || w.stopped):
		n.depart(!w.stopped)
	case n.refused == w.digest:
		n.standRefused(v.Duty)
	default:
		n.bring(v.Duty)
	}
}

// clear ends everything.
func (n *node) clear() { n.run, n.next, n.parked = nil, nil, nil }

// depart leaves nothing here. counts: somebody might miss it.
func (n *node) depart(counts bool) {
	was := n.good() || n.run != nil && n.kept != nil // which comes back
	if n.run != nil || n.next != nil {
		n.acted = n.now
	}
	n.clear()
	n.kept, n.refused, n.failed, n.gave = nil, 0, 0, false
	if was && counts {
		n.saw("a replica given up for others")
		n.note(n, "stops")
		n.missed(n)
	}
}

// standRefused goes on with what is here while a refusal stands, or, once others run
// it, ends it.
func (n *node) standRefused(d api.Duty) {
	w := n.wanted
	n.next = nil
	if d == api.DutyNone && n.run != nil {
		was := n.good()
		n.clear()
		n.kept, n.gave = nil, false
		n.acted = n.now
		if was {
			n.note(n, "stops what it refuses")
			n.missed(n)
		}
	} else if n.run == nil && n.kept != nil && n.kept.inst != w.inst {
		n.run = n.begin(n.kept, true)
	}
	if n.now >= n.recheck && n.takes(w) {
		n.refused = 0
		n.wake()
	}
}

// takes reports whether n has room for v.
func (n *node) takes(v *version) bool { return v.MemoryMB == 0 || n.room }

// bring does what can be done now for the wanted version.
func (n *node) bring(d api.Duty) {
	w := n.wanted
	if n.next != nil && (n.next.v.inst != w.inst || d == api.DutyKeep) {
		n.dropNext()
	}
	if n.next != nil {
		n.next.v = w
	}
	if n.run != nil && n.run.v.inst == w.inst {
		n.run.v = w
		n.dropNext()
		if n.run.proven {
			n.kept = w
		}
		return
	}
	itself := n.revive(w)
	here := n.run != nil || n.parked != nil
	switch {
	case d == api.DutyKeep && (here || !itself):
		if !here {
			n.depart(false)
		}
		return
	case n.failed == w.digest:
		return
	case n.next == nil:
		n.fetch(w)
		return
	case n.next.state == api.StatePending:
		return
	case n.next.state == api.StatePrepared && (d != api.DutyHold || !here):
		n.replace()
	}
}

// revive brings back what is to go on, if nothing is here; true: that is w itself.
func (n *node) revive(w *version) bool {
	last := n.kept
	if last == nil && n.duty != api.DutyKeep {
		last = n.last()
	}
	if n.run != nil || n.parked != nil || n.next != nil && n.next.state != api.StatePending && n.next.state != api.StatePrepared || last == nil {
		return false
	}
	if last.inst == w.inst {
		return n.kept == last
	}
	n.run = n.begin(last, n.kept == last)
	return false
}

// last is what others run while the wanted version is ready nowhere.
func (n *node) last() *version {
	number := 0
	for _, o := range n.nodes {
		if f := n.facts[o.id]; o != n && n.isUp(o) && !f.down {
			if f.phase(n.wanted.digest) == placement.PhaseReady {
				return nil
			}
			if a := f.answers(); a < n.wanted.seq {
				number = max(number, a)
			}
		}
	}
	if v := n.versions[number]; v != nil && !v.stopped && !v.removed {
		return v
	}
	return nil
}

// fetch makes w ready to start, or refuses it.
func (n *node) fetch(w *version) {
	if !n.takes(w) {
		n.saw("refusal")
		n.note(n, "refuses %s", w)
		n.refused, n.recheck = w.digest, n.now+refusedFor
		n.after(refusedFor+time.Millisecond, n.wake)
		n.wake()
		return
	}
	d := n.between(100*time.Millisecond, 4*time.Second)
	switch {
	case n.fetched[w.inst]:
		d = n.between(time.Millisecond, 50*time.Millisecond)
	case n.rng.IntN(10) == 0:
		d = n.between(4*time.Second, 15*time.Second)
	}
	i := &inst{v: w, state: api.StatePending}
	n.next = i
	n.later(d, i, func() {
		n.fetched[i.v.inst] = true
		i.state = api.StatePrepared
	})
}

// later does something to an instance, if it is still there then.
func (n *node) later(d time.Duration, i *inst, do func()) {
	boots, began := n.boots, i.began
	n.after(d, func() {
		switch {
		case n.boots != boots || i.began != began || n.run != i && n.next != i:
		case n.held > n.now:
			n.later(n.held-n.now, i, do)
		default:
			do()
			n.publish()
			n.wake()
		}
	})
}

// replace starts the next version: alone, beside what runs, or after that has stopped.
func (n *node) replace() {
	i := n.next
	n.acted = n.now
	n.note(n, "starts %s", i.v)
	switch {
	case n.run == nil:
		n.run, n.next = i, nil
	case i.v.stopFirst:
		if n.good() {
			n.saw("a replica stopped before the next starts")
			n.gave, n.tried = true, i.v.digest
			n.run, n.parked = nil, n.run
			n.parks(n)
		}
		n.run, n.parked = nil, cmp.Or(n.parked, n.run)
		n.watch(i)
	default:
		n.watch(i)
	}
	n.try(i)
}

// watch gives up what is not ready in time.
func (n *node) watch(i *inst) {
	n.after(deadline, func() {
		if n.next == i && !i.proven {
			i.late = true
			n.giveUp(i)
		}
	})
}

// begin starts a version that is known to be good, or that others run.
func (n *node) begin(v *version, proven bool) *inst {
	n.acted = n.now
	if proven {
		n.saw("a kept version brought back")
	} else {
		n.saw("a version started that others run")
	}
	n.note(n, "brings back %s", v)
	i := &inst{v: v, proven: proven}
	n.run = i
	n.try(i)
	return i
}

// try starts an instance once.
func (n *node) try(i *inst) {
	i.began++
	i.state = api.StateStarting
	took := n.between(250*time.Millisecond, 3*time.Second)
	if i.v.kind == good && !n.sick {
		n.later(took, i, func() { n.ready(i) })
		return
	}
	if i.v.kind == hangs {
		return
	}
	n.later(took/4, i, func() { n.crash(i) })
}

// ready has an instance take the place of the one before.
func (n *node) ready(i *inst) {
	i.state, i.proven = api.StateRunning, true
	if n.ambush != nil {
		strike := n.ambush
		n.ambush = nil
		defer strike(n)
	}
	if n.next == i {
		n.saw("a version replaced")
		n.note(n, "%s is ready", i.v)
		n.run, n.next, n.parked = i, nil, nil
	}
	n.kept, n.gave = i.v, false
}

// crash ends an instance badly; it is started again after a growing pause.
func (n *node) crash(i *inst) {
	i.state = api.StateBackoff
	i.restarts++
	i.began++
	if n.parked != nil && i.restarts >= 3 {
		n.giveUp(i)
		return
	}
	n.later(min(30*time.Second, 100*time.Millisecond<<min(i.restarts, 10)), i, func() { n.try(i) })
}

// giveUp has what was before the next version go on.
func (n *node) giveUp(i *inst) {
	n.saw("a version given up")
	n.note(n, "%s has failed", i.v)
	n.failed = i.v.digest
	n.dropNext()
	n.publish()
	n.wake()
}

// dropNext forgets the next version, and has come back what was stopped for it.
func (n *node) dropNext() {
	if n.next = nil; n.parked != nil {
		n.run, n.parked = n.parked, nil
		n.try(n.run)
	}
}

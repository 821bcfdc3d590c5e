package engine

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spareThreads are for the host beside its guests, and for the garbage collector.
	spareThreads = 2
	// heapRoom is how many bytes the collector takes for used that are not: by as much more the heap may
	// grow. Nothing is written there, so that it takes no memory.
	heapRoom = 16 << 20
	// tick is how often those that run are looked at while others wait.
	tick = time.Millisecond
)

// turns has no more guests run for long at once than there are processors, and those that
// could take turns of a millisecond or two. A guest holds a thread of Go's scheduler, which
// cannot interrupt it: with as many of them as GOMAXPROCS nothing else in the process would
// get on, and the garbage collector stops the process until each has been given time by the
// operating system and asks for fuel.
//
// Beside them as many may begin, so that calls which are soon done need not wait, nor others
// for them.
//
// A guest gives its turn back when it sleeps. When a call of the host takes longer than a
// moment, the turn is taken from it, until the call returns.
type turns struct {
	most int // for long; twice as many in all

	mu       sync.Mutex
	holders  map[*turn]struct{}
	starting int     // of them that have begun just now
	fresh    []*turn // that wait for their first turn: most calls need no other
	busy     []*turn // that wait for another one
	watching bool    // somebody looks at the holders

}

func newTurns(most int) *turns { return &turns{most: most, holders: map[*turn]struct{}{}} }

// makeRoom sets GOMAXPROCS so that the host gets on beside its guests, and has the garbage
// collector wait until there is something to collect. A fresh instance for each request leaves
// 20 KiB behind: in a heap of a few MiB that would be a collection for every hundred of them,
// and half of all the time.
func (ts *turns) makeRoom() (undo func()) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(before, 2*ts.most+spareThreads))
	ballast := make([]byte, heapRoom)
	return func() {
		runtime.GOMAXPROCS(before)
		runtime.KeepAlive(ballast)
	}
}

// What a guest does that has a turn, or not.
const (
	waits int32 = iota // or does nothing
	runs
	hosts // the host does something for it
)

// turn is that of one guest. Its methods are for the guest's goroutine, but for look.
type turn struct {
	turns *turns
	watch *stopwatch // of the guest: it takes no time while it waits

	state atomic.Int32
	calls atomic.Uint32 // of the host
	yield atomic.Bool   // it had its time
	given chan struct{} // made when it first has to wait

	// Under turns.mu.
	starts bool // it holds a turn of those that have begun just now
	seen   bool // in the last tick, with so many calls of the host
	calls0 uint32
}

// take waits for a turn, or until ctx ends: then it reports false.
func (t *turn) take(ctx context.Context) bool { return t.wait(ctx, false) }

// pass has others take their turn, if some wait and it had its time.
func (t *turn) pass(ctx context.Context) {
	if !t.yield.Load() {
		return
	}
	t.release()
	t.wait(ctx, true)
}

// release gives the turn back, if it has one.
func (t *turn) release() {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	t.drop(t.state.Swap(waits))
}

// drop is for who has ended a state.
func (t *turn) drop(state int32) {
	if state == waits {
		return
	}
	t.settle()
	delete(t.turns.holders, t)
	t.turns.give()
}

// settle has t be one of those that run for long.
func (t *turn) settle() {
	if t.starts {
		t.starts = false
		t.turns.starting--
	}
}

// enter and leave enclose what the host does for a guest.
func (t *turn) enter() {
	t.calls.Add(1)
	t.state.CompareAndSwap(runs, hosts)
}

func (t *turn) leave(ctx context.Context) {
	if !t.state.CompareAndSwap(hosts, runs) {
		t.wait(ctx, false)
	}
}

func (t *turn) wait(ctx context.Context, again bool) bool {
	if t.turns.enqueue(t, again) {
		return true
	}
	t.watch.stop()
	defer t.watch.start()
	select {
	case <-t.given:
		return true
	case <-ctx.Done():
		return t.turns.giveUp(t)
	}
}

// enqueue reports whether t has a turn at once.
func (ts *turns) enqueue(t *turn, again bool) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	queue := &ts.fresh
	if again {
		queue = &ts.busy
	}
	if len(*queue) == 0 && ts.room(queue) {
		ts.hold(t, queue)
		ts.watch()
		return true
	}
	if t.given == nil {
		t.given = make(chan struct{}, 1)
	}
	*queue = append(*queue, t)
	ts.watch()
	return false
}

// room reports whether there is a turn for those in a queue.
func (ts *turns) room(queue *[]*turn) bool {
	if queue == &ts.fresh {
		return ts.starting < ts.most
	}
	return len(ts.holders)-ts.starting < ts.most
}

// watch has somebody look at the holders where some must wait, or will have to.
func (ts *turns) watch() {
	if !ts.watching && ts.scarce() {
		ts.watching = true
		go ts.keepWatch()
	}
}

func (ts *turns) scarce() bool {
	return len(ts.fresh)+len(ts.busy) > 0 || ts.starting >= ts.most
}

func (ts *turns) hold(t *turn, queue *[]*turn) {
	ts.holders[t] = struct{}{}
	if t.starts = queue == &ts.fresh; t.starts {
		ts.starting++
	}
	t.seen = false
	t.yield.Store(false)
	t.state.Store(runs)
}

// give gives the turns that are free to those that wait.
func (ts *turns) give() {
	for _, queue := range []*[]*turn{&ts.fresh, &ts.busy} {
		for len(*queue) > 0 && ts.room(queue) {
			t := (*queue)[0]
			(*queue)[0] = nil
			*queue = (*queue)[1:]
			ts.hold(t, queue)
			t.given <- struct{}{}
		}
	}
}

// giveUp takes one that does not wait any longer out of its queue; true: it was just given
// a turn.
func (ts *turns) giveUp(t *turn) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, queue := range []*[]*turn{&ts.fresh, &ts.busy} {
		for i, other := range *queue {
			if other == t {
				*queue = append((*queue)[:i], (*queue)[i+1:]...)
				return false
			}
		}
	}
	<-t.given
	return true
}

// keepWatch looks at the holders for as long as others wait.
func (ts *turns) keepWatch() {
	every := time.NewTicker(tick)
	defer every.Stop()
	for range every.C {
		if !ts.look() {
			return
		}
	}
}

// look has those pass their turn that had it in the last tick already, and takes it from
// those for which the host has been busy since. Who has begun in a tick before runs for long.
func (ts *turns) look() (again bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t := range ts.holders {
		calls := t.calls.Load()
		switch {
		case !t.seen:
			t.seen, t.calls0 = true, calls
		case calls == t.calls0 && t.state.CompareAndSwap(hosts, waits):
			t.drop(hosts)
		case t.starts && len(ts.busy) == 0 && len(ts.holders)-ts.starting < ts.most:
			t.settle()
			t.calls0 = calls
		default:
			t.calls0 = calls
			t.yield.Store(true)
		}
	}
	ts.give()
	ts.watching = ts.scarce()
	return ts.watching
}

package engine

import (
	"runtime"
	"sync"
)

const (
	spareThreads = 2  // for runnerd itself and the garbage collector
	threadStep   = 8  // by which GOMAXPROCS changes
	maxThreads   = 64 // of Go code at once, however many guests run
)

// Threads keeps GOMAXPROCS above the number of guests that may run at once: a
// guest holds its thread, and with as many of them as GOMAXPROCS nothing else in
// the process would get on, not even the timer that is to stop them. The
// operating system shares out the cores between all threads.
//
// Changing GOMAXPROCS stops the process until every thread agrees. Hence the room
// for calls is made once, and commands, which run without end, change it in steps.
type Threads struct {
	least int // what Go chose for this machine
	calls int

	mu       sync.Mutex
	commands int
}

// NewThreads is for a number of calls at once, beside commands.
func NewThreads(calls int) *Threads {
	return &Threads{least: runtime.GOMAXPROCS(0), calls: calls}
}

// Open makes room for the calls.
func (t *Threads) Open() { t.add(0) }

// Close goes back to what Go chose.
func (t *Threads) Close() { runtime.GOMAXPROCS(t.least) }

// Enter counts one command more, until the caller calls leave.
func (t *Threads) Enter() (leave func()) {
	t.add(1)
	return func() { t.add(-1) }
}

func (t *Threads) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands += n
	if want := t.want(); want != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(want)
	}
}

func (t *Threads) want() int {
	n := t.calls + spareThreads
	n += (t.commands + threadStep - 1) / threadStep * threadStep
	return max(t.least, min(n, maxThreads))
}

package engine

import (
	"slices"
	"sync"
	"time"
)

const (
	maxIdle   = 8           // goroutines of a module that wait for its next guests
	idleAfter = time.Second // for so long
)

// workers are the goroutines that run the guests of a module. They are used again, since
// the stack of a new one has to grow several times in each call, which takes a fifth of
// the time of a small one. Modules that nobody calls have none.
type workers struct {
	mu     sync.Mutex
	idle   []chan func()
	closed bool
}

// do runs fn in a goroutine, and does not wait for it.
func (w *workers) do(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.idle); n > 0 {
		w.idle[n-1] <- fn // it has room for one
		w.idle = w.idle[:n-1]
		return
	}
	go w.run(fn)
}

func (w *workers) run(fn func()) {
	next, late := make(chan func(), 1), time.NewTimer(idleAfter)
	defer late.Stop()
	for fn != nil {
		fn()
		if !w.rest(next) {
			return
		}
		late.Reset(idleAfter)
		fn = w.next(next, late.C)
	}
}

// next waits for what a goroutine is to do next; nil: nothing.
func (w *workers) next(next chan func(), late <-chan time.Time) func() {
	select {
	case fn := <-next:
		return fn
	case <-late:
		w.leave(next)
		return <-next // closed, or given something at the last moment
	}
}

// leave has the goroutine of a channel be none of those that wait.
func (w *workers) leave(next chan func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.idle, next); i >= 0 {
		w.idle = slices.Delete(w.idle, i, i+1)
		close(next)
	}
}

// rest has the goroutine of a channel be one of those that wait, if it is wanted.
func (w *workers) rest(next chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= maxIdle {
		return false
	}
	w.idle = append(w.idle, next)
	return true
}

// close ends those that wait; others end by themselves.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
}

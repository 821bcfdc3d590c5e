package engine

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// maxIdle is how many goroutines of a module wait for its next guests, and maxRest for
	// how long.
	maxIdle = 8
	maxRest = time.Second
)

// workers are the goroutines that run the guests of a module. They are used again, since
// the stack of a new one has to grow several times in each call, which takes a fifth of
// the time of a small one.
type workers struct {
	patience time.Duration // in place of maxRest

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
	next := make(chan func(), 1)
	patience := cmp.Or(w.patience, maxRest)
	tired := time.NewTimer(patience)
	defer tired.Stop()
	for fn != nil {
		fn()
		if !w.rest(next) {
			return
		}
		tired.Reset(patience)
		select {
		case fn = <-next:
		case <-tired.C:
			if w.leave(next) {
				return
			}
			fn = <-next
		}
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

// leave reports whether the goroutine of a channel may end: nothing was given to it.
func (w *workers) leave(next chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.idle, next)
	if i < 0 {
		return false
	}
	w.idle = slices.Delete(w.idle, i, i+1)
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

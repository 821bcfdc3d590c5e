package engine

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestWorkers wants goroutines to be used again, few of them to wait, and none to stay.
func TestWorkers(t *testing.T) {
	w := workers{patience: time.Hour}
	var all sync.WaitGroup
	for range 4 * maxIdle {
		all.Add(1)
		w.do(func() { time.Sleep(time.Millisecond); all.Done() })
	}
	all.Wait()
	waits := func(n int) {
		t.Helper()
		eventually(t, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.idle) == n
		})
	}
	waits(maxIdle)
	held := make(chan struct{})
	began := make(chan struct{})
	w.do(func() { close(began); <-held })
	<-began
	waits(maxIdle - 1)
	w.close()
	close(held) // it ends, and does not wait: goleak looks at that
	again := make(chan struct{})
	w.do(func() { close(again) })
	<-again
	waits(0)
}

// TestWorkersDoNotWaitForLong: what nobody calls has no goroutine.
func TestWorkersDoNotWaitForLong(t *testing.T) {
	before := runtime.NumGoroutine()
	w := workers{patience: time.Millisecond}
	var all sync.WaitGroup
	for range 1000 {
		all.Add(1)
		w.do(all.Done)
	}
	all.Wait()
	eventually(t, func() bool { return runtime.NumGoroutine() <= before })
}

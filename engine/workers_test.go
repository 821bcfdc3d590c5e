package engine

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// resting is how many goroutines wait.
func (w *workers) resting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.idle)
}

// TestWorkers wants goroutines to be used again, few of them to wait, and none to stay.
func TestWorkers(t *testing.T) {
	var w workers
	var all sync.WaitGroup
	for range 4 * maxIdle {
		all.Add(1)
		w.do(func() { time.Sleep(time.Millisecond); all.Done() })
	}
	all.Wait()
	waits := func(n int) {
		t.Helper()
		until := time.Now().Add(10 * time.Second)
		for {
			idle := w.resting()
			if idle == n {
				return
			}
			if time.Now().After(until) {
				t.Fatalf("%d goroutines wait, want %d", idle, n)
			}
			time.Sleep(time.Millisecond)
		}
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

// TestWorkersLeave wants goroutines that wait for nothing to end by themselves.
func TestWorkersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		ran := 0
		for range 3 {
			w.do(func() { ran++ })
			synctest.Wait()
			time.Sleep(idleAfter / 2)
		}
		if n := w.resting(); n != 1 {
			t.Errorf("%d goroutines wait, want the one that is used again", n)
		}
		time.Sleep(idleAfter)
		synctest.Wait()
		if n := w.resting(); n != 0 || ran != 3 {
			t.Errorf("%d goroutines wait after %d calls", n, ran)
		}
		w.do(func() { ran++ }) // and one more comes
		synctest.Wait()
		w.close() // else it would be waited for
		if ran != 4 {
			t.Errorf("%d calls", ran)
		}
	})
}

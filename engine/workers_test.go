package engine

import (
	"sync"
	"testing"
	"time"
)

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
			w.mu.Lock()
			idle := len(w.idle)
			w.mu.Unlock()
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

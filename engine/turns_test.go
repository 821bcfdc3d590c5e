package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// one is an engine that has one guest run for long at a time.
func one(t *testing.T) *Engine {
	t.Helper()
	e := New(NewCache(cacheDir))
	e.turns.most = 1
	undo := e.MakeRoom()
	t.Cleanup(undo)
	return e
}

// idle fails the test unless all turns are given back and nobody looks after them.
func idle(t *testing.T, ts *turns) {
	t.Helper()
	eventually(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.holders) == 0 && len(ts.fresh)+len(ts.busy) == 0 && !ts.watching
	})
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("that does not come")
		}
	}
}

// TestBusyGuestsTakeTurns: all get on, no more than are meant to run at once, and calls
// that begin later are done.
func TestBusyGuestsTakeTurns(t *testing.T) {
	e := one(t)
	busy, quick := readyIn(t, e, wasmtest.Script(wasmtest.Forever(wasmtest.Out("x"))), 16), readyIn(t, e, wasmtest.Nothing(), 16)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	var running sync.WaitGroup
	lines := make([]counted, 5)
	for i := range lines {
		running.Go(func() {
			if err := busy.Run(ctx, Env{Stdout: &lines[i]}); !errors.Is(err, errGone) {
				t.Error(err)
			}
		})
	}
	for i := range lines {
		eventually(t, func() bool { return lines[i].n.Load() > 100 })
	}
	for range 20 {
		if err := quick.Run(t.Context(), Env{}); err != nil {
			t.Error(err)
		}
		e.turns.mu.Lock()
		if n := len(e.turns.holders); n > 2 {
			t.Errorf("%d run at once", n)
		}
		e.turns.mu.Unlock()
	}
	stop(errGone)
	running.Wait()
	idle(t, e.turns)
}

// counted is a stream that counts what is written.
type counted struct{ n atomic.Int64 }

func (c *counted) Write(p []byte) (int, error) {
	c.n.Add(1)
	return len(p), nil
}

// TestWaitingForTheHostTakesNoTurn: guests that sleep, or whose streams block, do not keep
// others from running.
func TestWaitingForTheHostTakesNoTurn(t *testing.T) {
	e := one(t)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	var waiting sync.WaitGroup
	writes, sleeps := readyIn(t, e, wasmtest.Script(wasmtest.Out("x")), 16), readyIn(t, e, wasmtest.Script(wasmtest.Sleep(time.Hour)), 16)
	blocked := make(untilClosed)
	for range 4 {
		waiting.Go(func() {
			if err := writes.Run(t.Context(), Env{Stdout: blocked}); err != nil {
				t.Error(err)
			}
		})
		waiting.Go(func() {
			if err := sleeps.Run(ctx, Env{}); !errors.Is(err, errGone) {
				t.Error(err)
			}
		})
	}
	busy := readyIn(t, e, wasmtest.Script(wasmtest.Forever(wasmtest.Out("x"))), 16)
	var lines counted
	waiting.Go(func() { _ = busy.Run(ctx, Env{Stdout: &lines}) })
	eventually(t, func() bool { return lines.n.Load() > 10_000 })
	close(blocked)
	stop(errGone)
	waiting.Wait()
	idle(t, e.turns)
}

// untilClosed is a stream that takes nothing until it is closed.
type untilClosed chan struct{}

func (s untilClosed) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

// TestWhoWaitsForATurnCanBeStopped: without having used anything.
func TestWhoWaitsForATurnCanBeStopped(t *testing.T) {
	ts := newTurns(1)
	var holders [2]turn
	for i := range holders {
		holders[i].turns, holders[i].watch = ts, new(stopwatch)
		holders[i].watch.start()
		if !holders[i].take(t.Context()) {
			t.Fatal("there is no turn")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var third turn
	third.turns, third.watch = ts, new(stopwatch)
	ended := make(chan bool)
	go func() {
		third.watch.start()
		defer third.watch.stop()
		ended <- third.take(ctx)
	}()
	eventually(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.fresh) == 1
	})
	cancel()
	if <-ended {
		t.Error("it was given a turn that nobody gave back")
	}
	for i := range holders {
		holders[i].release()
		holders[i].watch.stop()
	}
	idle(t, ts)
}

// TestShortCallsLeaveTimeToLongOnes: callers of something that is soon done, however many,
// take no more than half of the processor from a guest that computes.
func TestShortCallsLeaveTimeToLongOnes(t *testing.T) {
	e := one(t)
	busy, quick := readyIn(t, e, wasmtest.Endless(), 16), readyIn(t, e, wasmtest.Nothing(), 16)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	var running sync.WaitGroup
	var used Usage
	running.Go(func() { _ = busy.Run(ctx, Env{Used: func(u Usage) { used = u }}) })
	var calls counted
	for range 24 {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = quick.Run(ctx, Env{})
				calls.n.Add(1)
			}
		})
	}
	time.Sleep(2 * time.Second)
	stop(errGone)
	running.Wait()
	t.Logf("%s of the processor beside %d calls", used.CPU, calls.n.Load())
	if used.CPU < 200*time.Millisecond || calls.n.Load() < 100 {
		t.Errorf("a guest that computes gets %s of 2 s beside %d calls", used.CPU, calls.n.Load())
	}
	idle(t, e.turns)
}

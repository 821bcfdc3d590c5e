package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func newGate() *Gate {
	return New(Config{Places: 3, Share: 2, Queue: 2, Patience: time.Second})
}

func enter(t *testing.T, g *Gate, key string) func() {
	t.Helper()
	leave, err := g.Enter(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestOneKeyLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		first := enter(t, g, "a")
		defer enter(t, g, "a")()
		entered := make(chan func())
		go func() { entered <- enter(t, g, "a") }()
		synctest.Wait()
		defer enter(t, g, "b")() // past the one that waits
		select {
		case <-entered:
			t.Fatal("a third of one key is inside")
		default:
		}
		first()
		(<-entered)()
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		defer enter(t, g, "a")()
		defer enter(t, g, "a")()
		ends := make(chan error)
		begun := time.Now()
		for range 2 {
			go func() {
				_, err := g.Enter(t.Context(), "a")
				ends <- err
			}()
		}
		synctest.Wait()
		if _, err := g.Enter(t.Context(), "a"); !errors.Is(err, ErrBusy) || time.Since(begun) != 0 {
			t.Error(err)
		}
		for range 2 {
			if err := <-ends; !errors.Is(err, ErrBusy) || time.Since(begun) != time.Second {
				t.Error(err, time.Since(begun))
			}
		}
	})
}

func TestCallerThatLeavesTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		leave := enter(t, g, "a")
		defer enter(t, g, "a")()
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		end := make(chan error)
		go func() {
			_, err := g.Enter(ctx, "a")
			end <- err
		}()
		synctest.Wait()
		cancel(gone)
		if err := <-end; !errors.Is(err, gone) {
			t.Error(err)
		}
		leave()
		leave() // twice is once
		enter(t, g, "a")()
		if g.total != 1 || len(g.waiting) != 0 {
			t.Errorf("%d inside, %d waiting", g.total, len(g.waiting))
		}
	})
}

func TestCounts(t *testing.T) {
	g := New(Config{Places: 2, Share: 1, Queue: 4, Patience: time.Minute})
	leave, err := g.Enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := g.Enter(ctx, "a")
		ended <- err
	}()
	for g.Counts()["a"] != (Count{Inside: 1, Waiting: 1}) {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("enter: %v", err)
	}
	leave()
	if all := g.Counts(); len(all) != 0 {
		t.Errorf("left over: %v", all)
	}
}

package wasi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/mount"
)

// Guest is what one instance holds of the host. It is used by one goroutine at a time.
type Guest struct {
	env   Env
	table table
	begun time.Time

	wake chan struct{} // holds one when something may have become ready

	ctx    context.Context    //nolint:containedctx // of the goroutines beside the guest
	cancel context.CancelFunc // which ends them
	beside sync.WaitGroup

	views    []*mount.View // of the mounts
	stdin    *piped        // made when it is first asked for
	fields   int           // bytes of all fields
	requests int           // of its own, under way
	unsent   int           // bodies that are written, and were not sent yet
	closers  []func()      // which release what is not in the table
	closed   bool
}

// New returns the state of a new guest. The caller must close it.
func New(env Env) *Guest {
	ctx, cancel := context.WithCancel(context.Background())
	g := &Guest{env: env.withDefaults(), wake: make(chan struct{}, 1), ctx: ctx, cancel: cancel}
	g.table = newTable(g.env.Limits.Resources)
	g.begun = g.env.Now()
	for _, m := range g.env.Mounts {
		g.views = append(g.views, m.Folder.View())
	}
	return g
}

// Close releases all that the guest holds, and waits until what runs beside it has ended.
func (g *Guest) Close() {
	if g.closed {
		return
	}
	g.closed = true
	g.cancel()
	g.table.clear(g)
	for _, release := range slices.Backward(g.closers) {
		release()
	}
	for _, v := range g.views {
		v.Close()
	}
	g.beside.Wait()
}

// notify has a guest that waits look again. Any goroutine may call it.
func (g *Guest) notify() {
	select {
	case g.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// event is something that guests wait for.
type event interface {
	// ready reports whether there is no need to wait.
	ready() bool
}

// timed is an event that happens at a time, of which nobody wakes the guest.
type timed interface{ left() time.Duration }

// wait returns when one of the events is ready, or with the context's error.
func (g *Guest) wait(ctx context.Context, events ...event) error {
	anyReady := func() bool { return slices.ContainsFunc(events, event.ready) }
	if anyReady() {
		return nil
	}
	var err error
	g.env.Idle(ctx, func() {
		for err == nil && !anyReady() {
			if err = g.sleep(ctx, events); err == nil && len(events) > fewEvents {
				err = g.env.Work(ctx, uint64(pollWork*len(events)))
			}
		}
	})
	return err
}

// fewEvents are so many that to look at them costs nothing to speak of: how often a guest is
// woken is not the same each time, and what it uses should be.
const fewEvents = 64

// sleep waits until something may have become ready.
func (g *Guest) sleep(ctx context.Context, events []event) error {
	var alarm <-chan time.Time
	if next, ok := soonest(events); ok {
		t := time.NewTimer(next)
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.wake:
	case <-alarm:
	}
	return nil
}

func soonest(events []event) (next time.Duration, found bool) {
	for _, e := range events {
		t, ok := e.(timed)
		if !ok {
			continue
		}
		if left := t.left(); !found || left < next {
			next, found = left, true
		}
	}
	return next, found
}

// work charges for n bytes, and something for the call. It fails when the context ends,
// so that a guest that only calls the host ends, too.
func (g *Guest) work(ctx context.Context, n int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return g.env.Work(ctx, uint64(n)+callWork)
}

// own is a handle of something new, which the guest is to own.
func (g *Guest) own(r resource, parent uint32) (wit.Handle, error) {
	rep, err := g.table.add(r, parent)
	if err != nil {
		r.drop(g)
		return wit.Handle{}, err
	}
	return wit.Handle{Rep: rep, Own: true}, nil
}

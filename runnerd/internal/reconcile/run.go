package reconcile

import (
	"context"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// Run decides, and has what changes applied, until ctx ends.
func (r *Reconciler) Run(ctx context.Context) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-alarm.C:
		}
		rest.Reset(burst)
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
		}
		r.pass(ctx)
		if next, ok := r.next(); ok {
			alarm.Reset(max(next.Sub(r.Now()), burst))
		}
	}
}

// pass decides on what is due. What becomes due meanwhile has its turn in the next one.
func (r *Reconciler) pass(ctx context.Context) {
	if !r.refresh() {
		return
	}
	r.plan()
	r.mu.Lock()
	due := r.dirty
	r.dirty = nil
	r.mu.Unlock()
	for len(due) > 0 && ctx.Err() == nil {
		n := min(len(due), slice)
		for _, w := range r.decideAll(due[:n]) {
			if r.Apply(ctx, w) != nil {
				return // ctx has ended
			}
		}
		due = due[n:]
	}
}

// refresh brings up to date who is up and which facts count; false: not all is known
// yet.
func (r *Reconciler) refresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members.began.IsZero() {
		return false
	}
	now := r.Now()
	if r.members.due(now) && r.members.refresh(&r.Config, now) {
		r.replan = all
		r.forget()
		for _, l := range r.loads { // whose ranking may stay as it is
			r.touch(l)
		}
	}
	r.expire(now)
	r.release(now)
	return true
}

// decideAll returns what is to be applied of loads.
func (r *Reconciler) decideAll(loads []*load) (out []workload.Want) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range loads {
		if w, changed := r.decide(l); changed {
			out = append(out, w)
		}
	}
	return out
}

// next is when to look without being told of anything.
func (r *Reconciler) next() (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members.began.IsZero() {
		return at, false
	}
	at = r.members.next
	if len(r.fading) > 0 {
		at = sooner(at, r.fading[0].gone.Add(Grace))
	}
	if len(r.held) > 0 {
		at = sooner(at, r.held[0].until)
	}
	return at, !at.IsZero()
}

// sooner is the earlier one of a, which is zero where there is none, and b.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// maxTries is how often a version may end badly before the one that was stopped for it
// comes back.
const maxTries = 3

// adopt reports whether what runs here is w already but for who has signed it, when
// and with which number; it goes on as w then.
func (a *actor) adopt(life context.Context, w Want, inst api.Digest) bool {
	a.mu.Lock()
	v := a.current
	if v == nil || v.signed.Digest != w.Digest && (v.instance != inst || v.failed()) {
		a.mu.Unlock()
		return false
	}
	v.signed = w.Signed
	a.pass()
	a.mu.Unlock()
	a.dropNext(life)
	return true
}

// begin starts the next version: in the place of what runs no more or never came up,
// beside what does, or, if its order asks for that, after that has stopped.
func (a *actor) begin(life, attempt context.Context, w Want) {
	a.mu.Lock()
	v, old := a.next, a.current
	if v == nil || v.begun {
		a.mu.Unlock()
		return
	}
	replaces := old.worth()
	switch {
	case !replaces:
		a.current, a.next = v, nil
	case v.update.Order == api.StopFirst:
		a.current, a.parked = nil, old
	}
	parks := a.parked != nil
	v.begun, v.since = !parks, time.Now().UTC()
	a.mu.Unlock()
	if !replaces {
		stop(old)
	}
	if parks && !a.park(life, attempt, w, old) {
		return
	}
	a.prove(life, v, replaces)
}

// park stops old in favour of the next version, once its calls have ended; false: that
// is not wanted any more, and old goes on.
func (a *actor) park(life, attempt context.Context, w Want, old *version) bool {
	a.report(w.Signed, status{state: api.StateStarting, reason: fmt.Sprintf("version %d is stopped first", old.signed.Seq)})
	old.halt()
	idle := make(chan struct{})
	old.calls.whenNone(func() { close(idle) })
	select {
	case <-idle:
	case <-attempt.Done():
		a.unpark(life)
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next.begun = true
	return true
}

// prove starts v, and sees to it that it is ready in time if something good waits for
// that, or if nothing but a probe can tell.
func (a *actor) prove(life context.Context, v *version, replaces bool) {
	if v.firstState() != api.StateRunning && (v.probed() || replaces) {
		deadline := time.Duration(v.update.Deadline)
		v.late = time.AfterFunc(deadline, func() { a.tooLate(life, v, deadline) })
	}
	v.start(life, a)
}

// settle has the next version take over if it has proved itself, and gives it up if
// it has failed to.
func (a *actor) settle(life context.Context, w Want) {
	a.mu.Lock()
	v := a.next
	if v == nil || !v.begun {
		a.mu.Unlock()
		return
	}
	var (
		st      = v.status()
		alone   = a.parked == nil && !a.current.worth() // nothing is there to go back to
		takes   = v.good || alone
		crashes = a.parked != nil && st.state == api.StateBackoff && st.restarts+1 >= maxTries
	)
	a.mu.Unlock()
	switch {
	case takes:
		a.promote(v)
	case crashes:
		st.reason = fmt.Sprintf("it has failed %d times: %s", maxTries, st.cause)
		a.giveBack(life, w, st)
	case st.state == api.StateFailed:
		a.giveBack(life, w, st)
	}
}

// promote makes v, the next version, what is here, and stops what was.
func (a *actor) promote(v *version) {
	a.mu.Lock()
	old := []*version{a.current, a.parked}
	a.current, a.next, a.parked = v, nil, nil
	if v.command != nil {
		v.overdue = 0 // it may try for as long as it likes: nothing waits for it
	}
	a.pass()
	a.mu.Unlock()
	stop(old...)
}

// giveBack gives up the next version, which is as st says, and has what was before go on.
func (a *actor) giveBack(life context.Context, w Want, st status) {
	a.slog.Warn("a version does not come up", telemetry.KeySeq, w.Seq, "reason", st.reason)
	st.state = api.StateFailed
	a.course.failed = &st
	a.mu.Lock()
	a.note = note{}
	a.mu.Unlock()
	a.dropNext(life)
	a.report(w.Signed, st)
}

// dropNext forgets the next version, and has come back what was stopped for it.
func (a *actor) dropNext(life context.Context) {
	a.mu.Lock()
	v := a.next
	a.next = nil
	a.mu.Unlock()
	stop(v)
	a.unpark(life)
}

// unpark has come back what was stopped for another version.
func (a *actor) unpark(life context.Context) {
	a.mu.Lock()
	v := a.parked
	a.parked = nil
	if v != nil {
		a.current = v
		v.said, v.since = status{state: v.firstState()}, time.Now().UTC()
	}
	a.mu.Unlock()
	if v != nil {
		v.start(life, a)
	}
}

// clear stops everything.
func (a *actor) clear() {
	a.mu.Lock()
	all := []*version{a.current, a.next, a.parked}
	a.current, a.next, a.parked = nil, nil, nil
	a.mu.Unlock()
	stop(all...)
}

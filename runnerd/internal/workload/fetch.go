package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// maxRetry is the longest pause between two tries to make a program ready.
const maxRetry = 3 * time.Second

// fetch makes w ready to start, as the next version, for when the duty is looked at once
// more. Where that fails, for now or for good, the fact says why.
func (a *actor) fetch(attempt context.Context, w Want, work api.Workload) {
	v, err := a.prepare(attempt, w.Signed, work, func(s api.State) { a.report(w.Signed, status{state: s}) })
	if err == nil {
		a.mu.Lock()
		a.next = v
		a.mu.Unlock()
		a.lookAgain() // the duty may be another by now
		return
	}
	var (
		bad  *program.RefusedError
		full *refusal
	)
	switch {
	case attempt.Err() != nil:
	case errors.As(err, &bad):
		a.slog.Warn("a version cannot run here", telemetry.KeySeq, w.Seq, telemetry.Error(err))
		a.fail(w, status{reason: err.Error(), tail: a.firstWords()})
	case errors.As(err, &full):
		a.slog.Warn("this node cannot take a version", telemetry.KeySeq, w.Seq, telemetry.Error(err))
		a.refuse(err)
		a.lookAgain()
	default:
		a.report(w.Signed, status{state: api.StatePending, reason: err.Error()})
		if sleep(attempt, a.course.pause.NextBackOff()) {
			a.lookAgain()
		}
	}
}

// firstWords are the last log lines of a version that could not be made ready: only of a
// function an instance is made before, and may have said why.
func (a *actor) firstWords() []string {
	if a.ref.Kind != api.KindFunction {
		return nil
	}
	return a.log.Tail()
}

// fail has w not be tried again.
func (a *actor) fail(w Want, st status) {
	st.state = api.StateFailed
	a.course.failed = &st
	a.report(w.Signed, st)
}

// refuse remembers why this node cannot take the version.
func (a *actor) refuse(why error) {
	a.course.refused = why.Error()
	a.course.due = time.Now().Add(a.set.refused + rand.N(a.set.refused/2)) // not all at once
}

// standRefused says that this node cannot take w until it would. What the duty lets go
// on goes on.
func (a *actor) standRefused(life, attempt context.Context, w Want, work api.Workload) {
	inst := work.Instance()
	if w.Duty == api.DutyNone {
		a.clear()
		a.forget()
	} else {
		a.dropNext(life)
		if a.adopt(life, w, inst) {
			a.course.refused = ""
			return
		}
		a.dropFallen(w)
		a.revive(life, attempt, w, inst)
	}
	a.report(w.Signed, status{state: api.StateRefused, reason: a.course.refused})
	if !sleep(attempt, time.Until(a.course.due)) {
		return
	}
	v, err := a.prepare(attempt, w.Signed, work, quietly)
	switch bad := new(program.RefusedError); {
	case err == nil:
		v.stop() // what is ready is found again
		a.course.refused = ""
	case errors.As(err, &bad):
		a.course.refused = ""
	case attempt.Err() != nil:
		return
	default:
		a.refuse(err)
	}
	a.lookAgain()
}

// quietly is for what is made ready without telling.
func quietly(api.State) {}

// prepare makes a version ready to start. Errors: [*program.RefusedError] where it
// cannot run, [*refusal] where this node cannot take it, that of ctx; others may pass.
func (a *actor) prepare(ctx context.Context, s intent.Signed, work api.Workload, stage func(api.State)) (*version, error) {
	bound, err := a.Admit.Bound(work)
	if err != nil {
		return nil, &refusal{err}
	}
	room, err := a.Admit.Admit(a.ref, bound)
	if err != nil {
		return nil, &refusal{err}
	}
	v := newVersion(s, work, room, a.log)
	v.work = bound
	m, err := a.Loader.Load(ctx, bound.Program(), stage)
	if err == nil {
		err = v.fill(ctx, m, a)
	}
	if err == nil {
		return v, nil
	}
	room()
	if program.NoRoom(err) {
		err = &refusal{err}
	}
	return nil, err
}

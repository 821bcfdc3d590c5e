package workload

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// reach does what can be done now to bring w about. It looks at everything anew each
// time, and returns where it has to wait for a version, or for another want. What is
// started lives as long as life, the rest as attempt.
func (a *actor) reach(life, attempt context.Context, w Want) {
	if a.course.of != w.Digest {
		a.slog.Debug("a version is wanted", telemetry.KeySeq, w.Seq, "duty", string(w.Duty))
		a.course = course{of: w.Digest, pause: newPause()}
		a.course.pause.MaxInterval = maxRetry
	}
	a.keep() // before it is replaced
	defer a.keep()
	if w.gone() {
		a.depart(w)
		return
	}
	work, err := w.Workload()
	switch {
	case err == nil && !work.Started():
		a.halt(w)
	case w.Duty == api.DutyNone && (w.Unfit || a.course.refused == ""):
		a.depart(w)
	case err != nil:
		a.dropFallen(w)
		a.dropNext(life)
		a.revive(life, attempt, w, api.Digest{})
		a.report(w.Signed, status{state: api.StateFailed, reason: fmt.Sprintf("it needs a newer version of Realm: upgrade this node (%v)", err)})
	case a.course.refused != "":
		a.standRefused(life, attempt, w, work)
	default:
		a.bringAbout(life, attempt, w, work)
	}
}

// bringAbout does what the duty asks for a version that is to run, here or elsewhere.
func (a *actor) bringAbout(life, attempt context.Context, w Want, work api.Workload) {
	inst := work.Instance()
	if !a.pursues(w, work, inst) {
		a.dropNext(life)
	}
	if a.adopt(life, w, inst) || attempt.Err() != nil {
		return
	}
	a.dropFallen(w)
	itself := a.revive(life, attempt, w, inst)
	here := a.here()
	switch {
	case w.Duty == api.DutyKeep && here:
		a.dropNext(life)
		a.report(w.Signed, status{state: api.StatePending, reason: w.Why})
		return
	case w.Duty == api.DutyKeep && !itself:
		a.vacate(w)
		return
	case a.course.failed != nil:
		a.report(w.Signed, *a.course.failed)
		return
	case !a.ready():
		a.fetch(attempt, w, work)
		return
	case w.Duty == api.DutyHold && here && !a.begun():
		a.report(w.Signed, status{state: api.StatePrepared, reason: w.Why})
		return
	}
	a.begin(life, attempt, w)
	a.settle(life, w)
}

// pursues reports whether the version that is made ready, or proves itself, is w, and
// has it go on as w.
func (a *actor) pursues(w Want, work api.Workload, inst api.Digest) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == nil || a.next.instance != inst {
		return false
	}
	a.next.signed = w.Signed
	if c, ok := work.(*api.Component); ok && !a.next.begun {
		a.next.update = c.Update.WithDefaults()
	}
	a.pass()
	return true
}

// ready reports whether the wanted version is made ready, or further.
func (a *actor) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next != nil
}

// begun reports whether the wanted version proves itself already.
func (a *actor) begun() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next != nil && a.next.begun
}

// halt stops what the owner wants to be stopped.
func (a *actor) halt(w Want) {
	if !w.starts() {
		a.depart(w)
		return
	}
	a.clear()
	a.forget()
	a.report(w.Signed, status{state: api.StateStopped})
}

// depart leaves nothing of the workload here.
func (a *actor) depart(w Want) {
	a.clear()
	a.forget()
	if w.Tombstone {
		if err := a.log.Remove(); err != nil {
			a.slog.Warn("remove log", telemetry.Error(err))
		}
		a.Gone(a.ref)
	}
	a.vacate(w)
}

// vacate stops what is here and tells that nothing is, if anybody has heard of it.
func (a *actor) vacate(w Want) {
	a.clear()
	a.log.Close() // who moves away needs no file; what still comes opens it again
	a.course = course{}
	a.mu.Lock()
	heard := a.fact.State != "" || w.News && w.Tombstone
	a.mu.Unlock()
	if heard {
		a.report(w.Signed, status{state: api.StateRemoved, reason: w.why()})
	}
}

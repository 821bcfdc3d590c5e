package workload

import (
	"context"
	"errors"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// keep has what is here, if it is good, be the version to go back to after a start.
func (a *actor) keep() {
	a.mu.Lock()
	v := a.current
	if v == nil || !v.good || v.kept == v.signed.Digest {
		a.mu.Unlock()
		return
	}
	s := v.signed
	a.mu.Unlock()
	if err := a.Kept.Save(s); err != nil {
		a.slog.Warn("keep the last good version", telemetry.Error(err))
		return // it is tried again when there is something to do next
	}
	a.mu.Lock()
	v.kept = s.Digest
	a.mu.Unlock()
}

// forget drops the last good version: nothing shall run instead of what is wanted.
func (a *actor) forget() {
	if err := a.Kept.Delete(a.ref); err != nil {
		a.slog.Warn("forget the last good version", telemetry.Error(err))
	}
}

// dropFallen stops what runs in the place of w, if its signer has lost its say.
func (a *actor) dropFallen(w Want) {
	a.mu.Lock()
	var fallen []*version
	for _, at := range []**version{&a.current, &a.parked} {
		if v := *at; v != nil && v.signed.Digest != w.Digest && !a.Stands(v.signed) {
			fallen = append(fallen, v)
			*at = nil
		}
	}
	a.pass()
	a.mu.Unlock()
	if len(fallen) == 0 {
		return
	}
	a.slog.Warn("a version that went on is stopped: its signer's key counts no more", telemetry.KeySeq, fallen[0].signed.Seq)
	stop(fallen...)
	a.forget()
}

// revive brings back a version that is to go on while w does not come up, if nothing
// is here. It reports whether w itself is that version, for it to be started.
func (a *actor) revive(life, attempt context.Context, w Want, inst api.Digest) (itself bool) {
	a.mu.Lock()
	here := a.current != nil || a.parked != nil || a.next != nil && a.next.begun
	a.mu.Unlock()
	if here {
		return false
	}
	last, good, ok := a.last(w)
	if !ok || last.Digest == a.course.hopeless {
		return false
	}
	work, err := last.Workload()
	switch {
	case err != nil || !work.Started():
		return false
	case last.Digest == w.Digest || work.Instance() == inst:
		return good
	}
	v, err := a.prepare(attempt, last, work, quietly)
	if err != nil {
		a.cannotRevive(attempt, last, err)
		return false
	}
	v.good, v.vouched, v.begun, v.since = good, !good, true, time.Now().UTC()
	v.said = status{state: v.firstState()}
	a.mu.Lock()
	a.current = v
	a.mu.Unlock()
	v.start(life, a)
	return false
}

func (a *actor) cannotRevive(attempt context.Context, s intent.Signed, err error) {
	if attempt.Err() != nil {
		return
	}
	if bad := new(program.RefusedError); errors.As(err, &bad) {
		a.course.hopeless = s.Digest
	}
	a.slog.Warn("the last good version does not come up either", telemetry.KeySeq, s.Seq, telemetry.Error(err))
}

// last is the version to go on with where nothing is here: the one that was here last
// and was good, else the one that others run.
func (a *actor) last(w Want) (s intent.Signed, good, ok bool) {
	if s, ok := a.Kept.Last(w.Signed); ok && !s.Tombstone {
		return s, true, true
	}
	if w.Last != nil && w.starts() && !w.Last.Tombstone {
		return *w.Last, false, true
	}
	return intent.Signed{}, false, false
}

package workload

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// maxRetry is the longest pause between two tries to make a program ready.
const maxRetry = 3 * time.Second

// dropFallen stops what runs in the place of w, if its signer has lost its say.
func (a *actor) dropFallen(w Want) {
	if s, ok := a.other(w.Signed); ok && !a.Stands(s) {
		a.slog.Warn("a version that went on is stopped: its signer's key counts no more", telemetry.KeySeq, s.Seq)
		a.swap(nil)
		a.forget()
	}
}

// adopt reports whether what runs here is w already but for who has signed it, when
// and with which number; it goes on as w then.
func (a *actor) adopt(w Want) bool {
	a.mu.Lock()
	v := a.current
	ok := v != nil && bytes.Equal(v.signed.Body, w.Body) && v.said.state != api.StateFailed
	if ok {
		v.signed = w.Signed
		a.pass(v)
	}
	a.mu.Unlock()
	if ok {
		a.keep(w.Signed)
	}
	return ok
}

// keep has s be the version to go back to after a start.
func (a *actor) keep(s intent.Signed) {
	if err := a.Kept.Save(s); err != nil {
		a.slog.Warn("keep the last good version", telemetry.Error(err))
	}
}

// forget drops the last good version: nothing shall run instead of what is wanted.
func (a *actor) forget() {
	if err := a.Kept.Delete(a.ref); err != nil {
		a.slog.Warn("forget the last good version", telemetry.Error(err))
	}
}

// bring makes the program of w ready and has it take the place of what ran before,
// trying again for as long as that may help.
func (a *actor) bring(life, attempt context.Context, w Want, p api.Program) {
	pause := newPause()
	pause.MaxInterval = maxRetry
	for {
		v, err := a.prepare(attempt, w, p)
		if err == nil {
			a.replace(life, v)
			return
		}
		if attempt.Err() != nil {
			return
		}
		a.revive(life, attempt, w)
		refused := new(program.RefusedError)
		if errors.As(err, &refused) {
			a.slog.Warn("a version cannot run here", telemetry.KeySeq, w.Seq, telemetry.Error(err))
			a.report(w.Signed, status{state: api.StateFailed, reason: err.Error(), tail: a.log.Tail()})
			return
		}
		a.report(w.Signed, status{state: api.StatePending, reason: err.Error()})
		if !sleep(attempt, pause.NextBackOff()) {
			return
		}
	}
}

func (a *actor) prepare(ctx context.Context, w Want, p api.Program) (*version, error) {
	m, err := a.Loader.Load(ctx, p, func(s api.State) { a.report(w.Signed, status{state: s}) })
	if err != nil {
		return nil, err
	}
	return ready(ctx, w, m, a.log)
}

// replace has v take over: what answers does so without a gap, a command has
// ended before its successor begins.
func (a *actor) replace(life context.Context, v *version) {
	if v.command != nil {
		a.swap(nil)
	}
	a.swap(v)
	v.start(life, a)
	a.keep(v.signed)
}

// swap makes v what runs here and stops what did.
func (a *actor) swap(v *version) {
	a.mu.Lock()
	old := a.current
	a.current = v
	a.mu.Unlock()
	if old != nil {
		old.stop()
	}
}

// revive starts the last good version, if nothing runs and w is not that one.
func (a *actor) revive(life, attempt context.Context, w Want) {
	if a.serving(w.Signed) != 0 {
		return
	}
	last, ok := a.Kept.Load(a.ref)
	if !ok || last.Digest == w.Digest || last.Tombstone {
		return
	}
	work, err := last.Workload()
	if err != nil {
		return
	}
	v, err := a.prepare(attempt, Want{Signed: last, Duty: api.DutyRun}, work.Program())
	if err != nil {
		a.slog.Warn("the last good version does not come up either", telemetry.KeySeq, last.Seq, telemetry.Error(err))
		return
	}
	a.swap(v)
	v.start(life, a)
}

// other is the version that is here and is not s.
func (a *actor) other(s intent.Signed) (_ intent.Signed, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.signed.Digest == s.Digest {
		return intent.Signed{}, false
	}
	return a.current.signed, true
}

// serving is the number of the version other than s that runs or answers now; 0 for
// none.
func (a *actor) serving(s intent.Signed) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.signed.Digest == s.Digest || a.current.ended.Load() {
		return 0
	}
	return a.current.signed.Seq
}

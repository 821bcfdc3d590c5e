package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// maxRetry is the longest pause between two tries to make a program ready.
const maxRetry = 3 * time.Second

// actor looks after one workload.
type actor struct {
	*Env
	ref  api.Ref
	log  *logs.Log
	slog *slog.Logger
	wake chan struct{}

	mu      sync.Mutex
	want    Want
	giveUp  context.CancelFunc // of what is being done for an older want
	current *version           // what runs or answers; nil for nothing
	fact    api.WorkloadFact   // last told; zero for nothing
}

func newActor(env *Env, ref api.Ref) *actor {
	return &actor{Env: env, ref: ref, log: env.Logs(ref), slog: env.Log.With(telemetry.KeyWorkload, ref.String()), wake: make(chan struct{}, 1)}
}

// ask makes w the goal, unless a newer one is known.
func (a *actor) ask(w Want) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !w.Version().Newer(a.want.Version()) {
		return
	}
	a.want = w
	if a.giveUp != nil {
		a.giveUp()
	}
	select {
	case a.wake <- struct{}{}:
	default: // awake
	}
}

// run brings about what is wanted until ctx ends. A panic costs the attempt.
func (a *actor) run(ctx context.Context) error {
	defer a.log.Close()
	defer a.swap(nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		}
		w, attempt, cancel := a.next(ctx)
		err := task.Guard(attempt, func(attempt context.Context) error { a.reach(ctx, attempt, w); return nil })
		cancel()
		if err != nil {
			a.slog.Error("bring a workload about", telemetry.Error(err))
			a.report(w.Signed, status{state: api.StateFailed, reason: "internal error: see the log of runnerd"})
		}
	}
}

// next takes the newest want, and a context that ends when a newer one comes.
func (a *actor) next(ctx context.Context) (Want, context.Context, context.CancelFunc) {
	attempt, cancel := context.WithCancel(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveUp = cancel
	return a.want, attempt, cancel
}

// reach brings w about. What is started lives as long as life, the rest as attempt.
func (a *actor) reach(life, attempt context.Context, w Want) {
	a.slog.Debug("a version is wanted", telemetry.KeySeq, w.Seq)
	if w.Tombstone || !w.Here {
		a.remove(w)
		return
	}
	work, err := w.Workload()
	switch {
	case err != nil: // checked before: not reached
		a.report(w.Signed, status{state: api.StateFailed, reason: err.Error()})
	case !work.Started():
		a.swap(nil)
		a.forget()
		a.report(w.Signed, status{state: api.StateStopped})
	default:
		a.bring(life, attempt, w, work.Program())
	}
}

// remove leaves nothing of the workload here.
func (a *actor) remove(w Want) {
	a.swap(nil)
	a.forget()
	reason := ""
	if w.Tombstone {
		if err := a.log.Remove(); err != nil {
			a.slog.Warn("remove log", telemetry.Error(err))
		}
	} else {
		reason = "its target does not name this node"
	}
	a.mu.Lock()
	heard := a.fact.State != "" || w.News && w.Tombstone
	a.mu.Unlock()
	if heard {
		a.report(w.Signed, status{state: api.StateRemoved, reason: reason})
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
	if err := a.Kept.Save(v.Signed); err != nil {
		a.slog.Warn("keep the last good version", telemetry.Error(err))
	}
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
	if !ok || !w.Version().Newer(last.Version()) || last.Tombstone {
		return
	}
	work, err := last.Workload()
	if err != nil {
		return
	}
	v, err := a.prepare(attempt, Want{Signed: last, Here: true}, work.Program())
	if err != nil {
		a.slog.Warn("the last good version does not come up either", telemetry.KeySeq, last.Seq, telemetry.Error(err))
		return
	}
	a.swap(v)
	v.start(life, a)
}

// serving is the version other than s that runs or answers now; 0 for none.
func (a *actor) serving(s intent.Signed) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.Version() == s.Version() || a.current.ended.Load() {
		return 0
	}
	return a.current.Seq
}

// report tells where s stands, unless something newer is wanted by now.
func (a *actor) report(s intent.Signed, st status) {
	serving := a.serving(s)
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.Version() != a.want.Version() {
		return
	}
	f := api.WorkloadFact{Ref: a.ref, Peer: a.Self, Intent: s.Digest, Seq: s.Seq, State: st.state, Reason: oneLine(st.reason),
		Tail: st.tail, Restarts: st.restarts, Since: a.fact.Since, Serving: serving}
	if serving != 0 && st.state == api.StateFailed {
		f.Reason = oneLine(fmt.Sprintf("%s; version %d goes on", st.reason, serving))
	}
	if f.State != a.fact.State || f.Intent != a.fact.Intent {
		f.Since = time.Now().UTC()
	}
	a.fact = f
	if f.State == api.StateRemoved {
		a.fact = api.WorkloadFact{}
	}
	a.Facts.Set(f)
}

// oneLine makes s fit a fact.
func oneLine(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) <= api.MaxReason {
		return s
	}
	const mark = "…"
	return strings.ToValidUTF8(s[:api.MaxReason-len(mark)], "") + mark
}

// hold takes part of what answers now and keeps it usable until release is called.
func (a *actor) hold(take func(*version) func()) (release func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil {
		switch a.fact.State {
		case "":
			return nil, ErrUnknown
		default:
			return nil, &NotReadyError{a.fact.State, a.fact.Reason, a.fact.Tail}
		}
	}
	if release = take(a.current); release == nil {
		return nil, ErrNoInterface
	}
	return release, nil
}

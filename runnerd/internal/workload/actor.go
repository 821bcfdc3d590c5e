package workload

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

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

// ask makes w the goal.
func (a *actor) ask(w Want) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.Same(a.want) && (a.current == nil || a.current.signed.Digest == w.Digest) {
		return // else what runs in its place may have to end
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
	switch {
	case w.nothing():
		a.remove(w)
		return
	case a.adopt(w):
		return
	}
	a.dropFallen(w)
	work, err := w.Workload()
	switch {
	case err != nil:
		a.revive(life, attempt, w)
		a.report(w.Signed, status{state: api.StateFailed, reason: fmt.Sprintf("it needs a newer version of Realm: upgrade this node (%v)", err)})
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
	if w.Tombstone {
		if err := a.log.Remove(); err != nil {
			a.slog.Warn("remove log", telemetry.Error(err))
		}
	}
	a.mu.Lock()
	heard := a.fact.State != "" || w.News && w.Tombstone
	a.mu.Unlock()
	if heard {
		a.report(w.Signed, status{state: api.StateRemoved, reason: w.why()})
	}
}

// here reports whether some version runs or answers.
func (a *actor) here() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current != nil && !a.current.ended.Load()
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

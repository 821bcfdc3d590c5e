package workload

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// actor looks after one workload. While there is something to do one goroutine is at
// work on it, else none: see [actor.rouse].
type actor struct {
	*Env
	set  *Set
	ref  api.Ref
	log  *logs.Log
	slog *slog.Logger

	account program.Account

	mu     sync.Mutex
	want   Want
	busy   bool               // a goroutine is at work
	again  bool               // and is to look once more
	over   bool               // the set has ended: nothing begins any more
	giveUp context.CancelFunc // of what is being done for an older want

	current *version // what runs or answers; nil: nothing does
	next    *version // of what is wanted: made ready, or proving itself
	parked  *version // stopped in favour of next, to come back if that fails

	note note             // where the wanted version stands while it is none of these
	fact api.WorkloadFact // last told; zero for nothing

	course course // of the goroutine that is at work
}

// course is how far an actor has come with one version.
type course struct {
	of       api.Digest
	failed   *status                     // it is not tried again: how it has failed
	pause    *backoff.ExponentialBackOff // before it is
	refused  string                      // why this node cannot take it; empty: it can, for all we know
	due      time.Time                   // when to look at that again
	hopeless api.Digest                  // a version that should go on instead, and cannot run
}

func newActor(s *Set, ref api.Ref) *actor {
	return &actor{Env: &s.Env, set: s, ref: ref, account: s.Account(ref), log: s.Logs(ref), slog: s.Log.With(telemetry.KeyWorkload, ref.String())}
}

// ask makes w the goal.
func (a *actor) ask(life context.Context, w Want) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.want
	if w.Same(was) && (a.current == nil || a.current.signed.Digest == w.Digest) {
		return // else what runs in its place may have to end
	}
	a.want = w
	if a.giveUp != nil && (w.Digest != was.Digest || !w.starts() || !was.starts()) {
		a.giveUp()
	}
	a.rouse(life)
}

// rouse has a goroutine look at what there is to do; a.mu is held.
func (a *actor) rouse(life context.Context) {
	if a.over {
		return
	}
	a.again = true
	if !a.busy {
		a.busy = true
		a.set.workers.Go(func() { a.work(life) })
	}
}

// work brings about what is wanted. A panic costs the attempt.
func (a *actor) work(life context.Context) {
	for {
		w, attempt, ok := a.turn(life)
		if !ok {
			return
		}
		err := task.Guard(attempt, func(attempt context.Context) error { a.reach(life, attempt, w); return nil })
		if err != nil {
			a.slog.Error("bring a workload about", telemetry.Error(err))
			a.fail(w, status{reason: "internal error: see the log of runnerd"})
		}
	}
}

// turn takes the newest want, and a context that ends when one comes that is another;
// false: there is nothing to do any more.
func (a *actor) turn(life context.Context) (Want, context.Context, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.giveUp != nil {
		a.giveUp()
		a.giveUp = nil
	}
	if !a.again {
		a.busy = false
		return Want{}, nil, false
	}
	a.again = false
	attempt, cancel := context.WithCancel(life)
	a.giveUp = cancel
	return a.want, attempt, true
}

// lookAgain has the goroutine at work look once more.
func (a *actor) lookAgain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.again = true
	}
}

// quit has nothing begin any more.
func (a *actor) quit() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.giveUp != nil {
		a.giveUp()
	}
}

// here reports whether some version runs or answers, or is on its way to that.
func (a *actor) here() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current.alive() || a.parked != nil
}

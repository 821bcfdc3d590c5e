package workload

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// prober asks a web program whether it is well, for as long as it is here.
type prober struct {
	ask    func(context.Context) error // nil: it is well
	health api.Health
	good   bool // it was ready before
	report func(status)
}

// run asks at growing pauses until the program is ready, and then at its interval,
// until ctx ends.
func (p *prober) run(ctx context.Context) {
	interval := time.Duration(p.health.Interval)
	pause := newPause()
	pause.MaxInterval = interval
	for failures := 0; ; {
		err := p.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if failures++; err == nil {
			failures, p.good = 0, true
		}
		p.tell(err, failures)
		wait := jitter(interval)
		if !p.good {
			wait = min(pause.NextBackOff(), interval)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// tell says how the program is after so many failures in a row, the last of them err.
func (p *prober) tell(err error, failures int) {
	switch {
	case err == nil:
		p.report(status{state: api.StateRunning})
	case !p.good:
		p.report(status{state: api.StateStarting, reason: err.Error(), cause: err.Error()})
	case failures >= p.health.Failures:
		p.report(status{state: api.StateUnhealthy, reason: err.Error(), cause: err.Error()})
	}
}

// jitter is d, a tenth more or less, so that those that were started together are not
// asked together for ever.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// asker returns what asks v, in its turn. A program that takes long keeps its place for
// a moment only: some that hang must not keep all others from being asked.
func (a *actor) asker(v *version) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case a.set.probes <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		leave := sync.OnceFunc(func() { <-a.set.probes })
		defer leave()
		defer time.AfterFunc(api.DefaultHealthTimeout, leave).Stop()
		return v.web.Probe(ctx, v.health.Path, time.Duration(v.health.Timeout))
	}
}

package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
)

const (
	steadyTime = time.Minute // alive so long, a command's earlier failures are forgotten
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
	// After each failure the next instance has to live so many times longer before it
	// counts as running, up to maxProof: one that fails late on a busy machine is not
	// taken for well by living a moment.
	moreProof = 3
	maxProof  = 10 * time.Second
)

// command is a replica that runs to its end, and again as its policy says.
type command struct {
	start    func(context.Context) error // runs one instance to its end
	deadline time.Duration               // of a run; 0 for none
	alive    time.Duration               // alive so long, it counts as running
	policy   api.RestartPolicy
	tail     func() []string // last log lines
	report   func(status)
	restart  func() // is told of every restart
}

// run keeps the command running until its policy lets it be, it cannot go on, or ctx ends.
func (c *command) run(ctx context.Context) {
	pause, proof := newPause(), c.alive
	for restarts := 0; ; restarts++ {
		if restarts > 0 {
			c.restart()
		}
		begun := time.Now()
		err := c.once(ctx, restarts, proof)
		if ctx.Err() != nil {
			return
		}
		st := c.judge(err)
		st.restarts = restarts
		if st.over {
			c.report(st)
			return
		}
		proof = max(c.alive, min(moreProof*proof, maxProof))
		if time.Since(begun) > steadyTime {
			pause.Reset()
			proof = c.alive
		}
		wait := min(pause.NextBackOff(), maxPause)
		st.reason = fmt.Sprintf("%s; started again after %s", st.cause, wait.Round(time.Millisecond))
		c.report(st)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// judge says what follows from how an instance has ended.
func (c *command) judge(err error) status {
	st := status{cause: "it has ended with exit code 0"}
	if err != nil {
		st.cause, st.reason, st.tail = err.Error(), err.Error(), c.tail()
	}
	switch {
	case err == nil && c.policy != api.RestartAlways:
		st.state, st.over = api.StateExited, true
	case err != nil && c.policy == api.RestartNever, errors.Is(err, engine.ErrRunaway):
		st.state, st.over = api.StateFailed, true
	default:
		st.state = api.StateBackoff
	}
	return st
}

// once runs one instance and reports how it comes up: it is running when it has lived for
// proof.
func (c *command) once(ctx context.Context, restarts int, proof time.Duration) error {
	if c.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = engine.WithDeadline(ctx, c.deadline)
		defer cancel()
	}
	c.report(status{state: api.StateStarting, restarts: restarts})
	ended := make(chan error, 1)
	go func() { ended <- c.start(ctx) }()
	settled := time.NewTimer(proof)
	defer settled.Stop()
	select {
	case err := <-ended:
		return err
	case <-settled.C:
		c.report(status{state: api.StateRunning, restarts: restarts})
	}
	return <-ended
}

// newPause returns growing pauses, each at random between half and one and a half
// of its length.
func newPause() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: firstPause, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: maxPause}
}

// sleep waits for d; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

const (
	settleTime = 250 * time.Millisecond // alive so long, a command counts as running
	steadyTime = time.Minute            // alive so long, its earlier failures are forgotten
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
)

// status is where a version of a workload stands.
type status struct {
	state    api.State
	reason   string
	tail     []string
	restarts int
}

// command is a replica that runs to its end, and again if that was bad.
type command struct {
	start    func(context.Context) error // runs one instance to its end
	deadline time.Duration               // of a run; 0 for none
	tail     func() []string             // last log lines
	report   func(status)
	restart  func() // is told of every restart
}

// run keeps the command running until it ends well, cannot go on, or ctx ends.
func (c *command) run(ctx context.Context) {
	pause := newPause()
	for restarts := 0; ; restarts++ {
		if restarts > 0 {
			c.restart()
		}
		begun := time.Now()
		err := c.once(ctx, restarts)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			c.report(status{state: api.StateExited, restarts: restarts})
			return
		case errors.Is(err, sandbox.ErrRunaway):
			c.report(status{state: api.StateFailed, reason: err.Error(), tail: c.tail(), restarts: restarts})
			return
		}
		if time.Since(begun) > steadyTime {
			pause.Reset()
		}
		wait := min(pause.NextBackOff(), maxPause)
		c.report(status{state: api.StateBackoff, tail: c.tail(), restarts: restarts,
			reason: fmt.Sprintf("%v; started again after %s", err, wait.Round(time.Millisecond))})
		if !sleep(ctx, wait) {
			return
		}
	}
}

// once runs one instance and reports how it comes up.
func (c *command) once(ctx context.Context, restarts int) error {
	if c.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = sandbox.WithDeadline(ctx, c.deadline)
		defer cancel()
	}
	c.report(status{state: api.StateStarting, restarts: restarts})
	ended := make(chan error, 1)
	go func() { ended <- c.start(ctx) }()
	settled := time.NewTimer(settleTime)
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

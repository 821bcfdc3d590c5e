package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Errors that callers branch on.
var (
	ErrStopped = errors.New("the node is stopping")
	ErrFailed  = errors.New("cannot be started")
)

// Supervisor keeps programs up.
type Supervisor struct {
	keepers []*keeper
	limits  Limits
	logLine LogFunc
	killed  chan struct{} // closed by Kill
	kill    func()        // closes it, once

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, whenever a status changes
}

// New wires a supervisor of the programs; [Supervisor.Run] starts them.
func New(programs []Program, l Limits, lines LogFunc, log *slog.Logger) *Supervisor {
	s := &Supervisor{limits: l, logLine: lines, killed: make(chan struct{}), changed: make(chan struct{})}
	s.kill = sync.OnceFunc(func() { close(s.killed) })
	for _, p := range programs {
		s.keepers = append(s.keepers, newKeeper(s, p, log.With(telemetry.KeyChild, string(p.Name))))
	}
	return s
}

// Run starts the programs in order, one as soon as the process of the one before it
// has been created, and keeps them up until ctx ends or [Supervisor.Kill]. Then it
// ends them in reverse order, each with its grace, and returns when all have ended.
func (s *Supervisor) Run(ctx context.Context) error {
	fns := []func(context.Context) error{func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-s.killed:
		}
		for _, k := range slices.Backward(s.keepers) {
			close(k.stop)
			<-k.done
		}
		return nil
	}}
	before := make(chan struct{})
	close(before)
	for _, k := range s.keepers {
		turn := before
		fns = append(fns, func(context.Context) error {
			<-turn
			k.run()
			return nil
		})
		before = k.begun
	}
	return task.Run(ctx, fns...)
}

// Kill ends all processes at once, without a chance to finish their work, and so Run.
func (s *Supervisor) Kill() { s.kill() }

// Ready notes that a process can do its work. It must be the one that runs under
// that name; telling it again is no error.
func (s *Supervisor) Ready(r api.Ready) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keeper(r.Daemon)
	if k == nil || k.status.PID != r.PID {
		return fmt.Errorf("process %d is not the %s of this node", r.PID, r.Daemon)
	}
	if k.status.State == api.DaemonReady {
		return nil
	}
	k.status.State, k.status.Version, k.status.Note = api.DaemonReady, r.Version, r.Note
	close(k.ready)
	s.signal()
	return nil
}

// Restart ends the process of d, starts it again and returns when it is ready. One
// that has failed gets a fresh budget.
func (s *Supervisor) Restart(ctx context.Context, d api.Daemon) error {
	k := s.keeper(d)
	if k == nil {
		return fmt.Errorf("restart: there is no daemon %.40q", d)
	}
	answer := make(chan error, 1)
	select {
	case k.restarts <- answer:
	case <-k.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", d, ctx.Err())
	}
}

func (s *Supervisor) keeper(d api.Daemon) *keeper {
	for _, k := range s.keepers {
		if k.program.Name == d {
			return k
		}
	}
	return nil
}

// Status tells where the programs stand, in their order.
func (s *Supervisor) Status() []api.DaemonStatus {
	s.mu.Lock()
	out := make([]api.DaemonStatus, len(s.keepers))
	for i, k := range s.keepers {
		out[i] = k.status
	}
	s.mu.Unlock()
	for i := range out {
		out[i].Restarts = max(out[i].Restarts, 0)
		if out[i].PID != 0 {
			out[i].RSS = rss(out[i].PID)
		}
	}
	return out
}

// Watch calls fn with the status of all, at once and after every change, until fn
// says that it is done, returns an error, or ctx ends; it returns that error.
func (s *Supervisor) Watch(ctx context.Context, fn func([]api.DaemonStatus) (done bool, err error)) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done, err := fn(s.Status()); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AllReady reports whether all programs are ready; as soon as one has failed it is
// [ErrFailed] with the reason.
func AllReady(all []api.DaemonStatus) (bool, error) {
	ready := true
	for _, d := range all {
		if d.State == api.DaemonFailed {
			return false, fmt.Errorf("%s %w: %s", d.Daemon, ErrFailed, d.Reason)
		}
		ready = ready && d.State == api.DaemonReady
	}
	return ready, nil
}

// signal wakes who waits for a change; s.mu is held.
func (s *Supervisor) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

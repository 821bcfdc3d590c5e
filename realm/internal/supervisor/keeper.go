package supervisor

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// keeper keeps one program up. Its own goroutine starts and ends the processes.
type keeper struct {
	program Program
	sup     *Supervisor
	log     *slog.Logger

	restarts chan chan error // requests; each is answered once, when ready again or failed
	stop     chan struct{}   // closed to end for good
	begun    chan struct{}   // closed when the first process has been started
	done     chan struct{}   // closed when run has returned
	begin    func()          // closes begun, once
	waiting  []chan error    // requests not answered yet

	// Guarded by sup.mu.
	status api.DaemonStatus
	ready  chan struct{} // closed when the process that runs reports ready
}

func newKeeper(s *Supervisor, p Program, log *slog.Logger) *keeper {
	k := &keeper{
		program: p, sup: s, log: log,
		restarts: make(chan chan error), stop: make(chan struct{}),
		begun: make(chan struct{}), done: make(chan struct{}),
		status: api.DaemonStatus{Daemon: p.Name, State: api.DaemonStopped, Since: time.Now(), Restarts: -1},
	}
	k.begin = sync.OnceFunc(func() { close(k.begun) })
	return k
}

// ending says why a process has ended.
type ending struct {
	stopped, restart bool // because it was asked to

	reason string
	early  bool // it did not work long enough to count
	final  bool // starting again will not help
}

// run starts the process again and again until stop.
func (k *keeper) run() {
	defer close(k.done)
	defer k.begin()
	defer func() { k.answer(ErrStopped) }()
	budget := newBudget(k.sup.limits)
	for {
		e := k.live()
		if e.stopped {
			k.set(api.DaemonStopped, "")
			return
		}
		if e.restart {
			budget = newBudget(k.sup.limits)
			continue
		}
		pause, err := budget.died(time.Now(), e.early)
		if e.final {
			err = errors.New(e.reason)
		} else if err != nil {
			err = fmt.Errorf("%w; at last: %s", err, e.reason)
		}
		var wake <-chan time.Time
		if err != nil {
			k.fail(err)
		} else {
			k.log.Warn("ended, and is started again", telemetry.KeyError, e.reason, "pause", pause.Round(time.Millisecond))
			k.set(api.DaemonBackoff, e.reason)
			wake = time.After(pause)
		}
		select {
		case <-wake:
		case r := <-k.restarts:
			k.waiting = append(k.waiting, r)
			budget = newBudget(k.sup.limits)
		case <-k.stop:
			k.set(api.DaemonStopped, e.reason)
			return
		}
	}
}

// live starts the process and returns when it has ended.
func (k *keeper) live() ending {
	p, ready, err := k.start()
	k.begin()
	if err != nil {
		return ending{reason: clip(err.Error()), early: true}
	}
	limits := k.sup.limits
	late := time.NewTimer(limits.StartTimeout)
	defer late.Stop()
	var readyAt time.Time
	for {
		select {
		case <-p.exited:
			early := readyAt.IsZero() || time.Since(readyAt) < limits.EarlyAge
			return ending{reason: p.obituary(), early: early, final: p.exitCode() == daemon.ExitConfig}
		case <-ready:
			ready, readyAt = nil, time.Now()
			late.Stop()
			k.answer(nil)
		case <-late.C:
			p.kill()
			<-p.exited
			return ending{reason: clip(fmt.Sprintf("it was not ready within %v; at last it wrote: %s", limits.StartTimeout, p.words.reason())), early: true}
		case r := <-k.restarts:
			k.waiting = append(k.waiting, r)
			p.end(limits.StopGrace, k.sup.killed)
			return ending{restart: true}
		case <-k.stop:
			p.end(limits.StopGrace, k.sup.killed)
			return ending{stopped: true}
		}
	}
}

// start starts the process and notes it. It holds the lock for so long, so that no
// report of readiness comes before the process is known.
func (k *keeper) start() (p *process, ready <-chan struct{}, err error) {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	st := &k.status
	*st = api.DaemonStatus{Daemon: st.Daemon, State: api.DaemonStarting, Since: time.Now(), Restarts: st.Restarts + 1, Reason: st.Reason}
	k.ready = make(chan struct{})
	if p, err = start(k.program, k.sup.logLine); err == nil {
		st.PID = p.pid()
	}
	k.sup.signal()
	return p, k.ready, err
}

// set notes that no process runs now, and why.
func (k *keeper) set(s api.DaemonState, reason string) {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	st := &k.status
	*st = api.DaemonStatus{Daemon: st.Daemon, State: s, Since: time.Now(), Restarts: st.Restarts, Reason: reason}
	k.sup.signal()
}

// fail gives up until somebody asks for a restart.
func (k *keeper) fail(err error) {
	k.log.Error("has failed; mend the cause, then: realm restart "+string(k.program.Name), telemetry.Error(err))
	k.set(api.DaemonFailed, clip(err.Error()))
	k.answer(fmt.Errorf("%s has failed: %w", k.program.Name, err))
}

func (k *keeper) answer(err error) {
	for _, w := range k.waiting {
		w <- err // has room for the one answer
	}
	k.waiting = nil
}

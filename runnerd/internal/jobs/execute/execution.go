package execute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

const (
	stopGrace    = time.Second      // between TERM and KILL of what is cancelled
	timeoutGrace = 5 * time.Second  // of what is out of time
	endTime      = 15 * time.Minute // to bring artifacts into the store
	putPause     = 500 * time.Millisecond
	maxPutPause  = 15 * time.Second
	settleTime   = 2 * time.Second // that readers of a log get before it goes to where all find it
	// readyAfter is how long a service has to be up before it counts.
	readyAfter = time.Second
)

// execution is one that goes on here.
type execution struct {
	of     *Executor
	order  jobs.Order
	dir    string
	work   string // the run's folder, which the program may write
	report func(jobs.Change)
	log    *output
	over   chan struct{}

	ctx    context.Context //nolint:containedctx // of all that is done before the program has ended
	cancel context.CancelFunc

	ports map[api.Name]int // as in its order; of.mu guards it

	mu      sync.Mutex
	stopped *jobs.Change      // what it is to be recorded as; nil: nobody has stopped it
	kill    func()            // ends the program; nil: none runs
	program *native.Execution // that runs, if it is no wasm
}

func newExecution(e *Executor, o jobs.Order, report func(jobs.Change)) *execution {
	x := &execution{of: e, order: o, dir: e.dir(o.Exec), over: make(chan struct{}), ports: o.Ports}
	x.report = inOrder(report)
	x.work = e.workDir(x.dir, o.Body.Runtime.Type)
	path := filepath.Join(x.dir, logFile)
	if o.Body.Runtime.Type != api.RuntimeWasm {
		path = nativeLog(x.dir)
	}
	x.log = newOutput(path)
	x.ctx, x.cancel = context.WithCancel(context.Background())
	return x
}

// inOrder has changes be reported one at a time, and none after the end.
func inOrder(report func(jobs.Change)) func(jobs.Change) {
	var mu sync.Mutex
	ended := false
	return func(c jobs.Change) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			ended = c.State.Ended()
			report(c)
		}
	}
}

// workingDir is where the program begins.
func (x *execution) workingDir() string {
	return filepath.Join(x.work, filepath.FromSlash(x.order.Body.WorkingDir))
}

// Over implements [jobs.Execution].
func (x *execution) Over() <-chan struct{} { return x.over }

// Stop implements [jobs.Execution].
func (x *execution) Stop(as api.ExecState, why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stopped != nil {
		return
	}
	x.stopped = &jobs.Change{State: as, Reason: why}
	x.cancel()
	if x.kill != nil {
		go x.kill() // it may wait for a shim
	}
}

// running notes how the program is ended, and reports that it runs. false: it is to be
// ended at once.
func (x *execution) running(begun time.Time, program *native.Execution, kill func()) bool {
	x.mu.Lock()
	x.kill, x.program = kill, program
	stopped := x.stopped != nil
	x.mu.Unlock()
	if stopped {
		return false
	}
	service := x.order.Body.Type == api.JobService
	x.report(jobs.Change{State: api.ExecRunning, Started: begun})
	if service {
		go x.awaitReady(program, func() { x.report(jobs.Change{State: api.ExecRunning, Started: begun, Ready: true}) })
	}
	return true
}

// whole carries the execution out.
func (x *execution) whole() { x.end(x.guard(x.carryOut)) }

// guard has a panic end the execution, and nothing else.
func (x *execution) guard(fn func() jobs.Change) (c jobs.Change) {
	err := task.Guard(x.ctx, func(context.Context) error {
		c = fn()
		return nil
	})
	if err == nil {
		return c
	}
	x.of.cfg.Log.Error("carry out a job", telemetry.KeyWorkload, string(x.order.Job), telemetry.Error(err))
	reason, _, _ := strings.Cut(err.Error(), "\n")
	c = x.failed(fmt.Errorf("a fault of Realm, told in the log of runnerd there: %s", reason))
	x.mu.Lock()
	kill := x.kill
	x.mu.Unlock()
	if kill != nil {
		kill()
	}
	return c
}

func (x *execution) carryOut() jobs.Change {
	if err := x.prepare(); err != nil {
		return x.failed(err)
	}
	if x.order.Body.Runtime.Type == api.RuntimeWasm {
		return x.wasm()
	}
	return x.native()
}

// prepare makes the folder, and puts everything into it.
func (x *execution) prepare() error {
	x.report(jobs.Change{State: api.ExecStaging})
	if err := os.MkdirAll(x.dir, foldersMode); err != nil {
		return elsewhere(err)
	}
	if err := x.choosePorts(); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(x.dir, orderFile), x.order); err != nil {
		return elsewhere(err)
	}
	return x.stage()
}

// elsewhereError is about this node: another member may do better.
type elsewhereError struct{ error }

func (e elsewhereError) Unwrap() error { return e.error }

func elsewhere(err error) error { return elsewhereError{err} }

// here is [elsewhere] for what is wrong with this node's disk or rights.
func here(err error) error {
	if program.NoRoom(err) || errors.Is(err, fs.ErrPermission) {
		return elsewhere(err)
	}
	return err
}

// failed is how an execution ends whose program did not run.
func (x *execution) failed(err error) jobs.Change {
	c := jobs.Change{State: api.ExecFailed, Reason: err.Error()}
	var here elsewhereError
	if errors.As(err, &here) {
		c.State = api.ExecMoved
	}
	return c
}

// end gathers what the execution leaves, and reports its end.
func (x *execution) end(c jobs.Change) {
	x.cancel()
	x.mu.Lock()
	stopped := x.stopped
	x.mu.Unlock()
	if stopped != nil && c.State != api.ExecSucceeded {
		c.State, c.Reason, c.TimedOut = stopped.State, stopped.Reason, false
	}
	if c.Ended.IsZero() {
		c.Ended = time.Now()
	}
	x.log.close()
	if err := writeJSON(filepath.Join(x.dir, outcomeFile), c); err != nil && !c.Started.IsZero() {
		x.of.cfg.Log.Warn("keep how a job has ended", telemetry.Error(err)) // its result still may be
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if err := task.Guard(ctx, func(ctx context.Context) error { x.collect(ctx, &c); return nil }); err != nil {
		x.of.cfg.Log.Error("collect what a job leaves", telemetry.KeyWorkload, string(x.order.Job), telemetry.Error(err))
	}
	if err := writeJSON(filepath.Join(x.dir, resultFile), c); err != nil {
		x.of.cfg.Log.Warn("keep the result of a job", telemetry.Error(err)) // its record still may be
	}
	x.clear()
	x.of.gone(x.order.Exec)
	x.report(c)
	close(x.over)
}

// clear removes all but the result, and a log that nobody else has.
func (x *execution) clear() {
	for _, name := range []string{filepath.Join(x.dir, programDir), filepath.Join(x.dir, assetsDir), filepath.Join(x.dir, shimDir), filepath.Join(x.dir, outcomeFile), x.work} {
		if err := removeAll(name); err != nil {
			x.of.cfg.Log.Warn("remove what a job has left", telemetry.Error(err))
		}
	}
}

// removeAll is [os.RemoveAll], also of folders that a program has closed to others.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, _ error) error { // called before a folder is read
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, foldersMode) // removing says what is wrong
		}
		return nil
	})
	return os.RemoveAll(dir)
}

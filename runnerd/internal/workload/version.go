package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/cgi"
	"github.com/realm-mesh/realm/runnerd/internal/function"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// version is one version of a workload, made ready: a function, a web program, or
// a command. It holds a module until it is stopped.
type version struct {
	name   api.Name
	signed intent.Signed // under the actor's mu: it changes when another version asks for the same
	said   status        // likewise: what was told of it last
	since  time.Time     // likewise: since when it has been in that state

	function *function.Function
	web      *cgi.Program

	module  *sandbox.Module // of a command
	command *api.Component
	cancel  context.CancelFunc
	running sync.WaitGroup
	ended   atomic.Bool // the command will not run again
}

// ready makes a version of a module, which belongs to it from now on. Errors are
// [*program.RefusedError] or that of ctx.
func ready(ctx context.Context, w Want, m *sandbox.Module, log *logs.Log) (_ *version, err error) {
	defer func() {
		if err != nil {
			m.Release()
		}
	}()
	work, err := w.Workload()
	if err != nil {
		return nil, program.Refuse("%v", err) // checked before: not reached
	}
	v := &version{name: w.Name, signed: w.Signed, said: status{state: api.StateRunning}, since: time.Now().UTC()}
	switch work := work.(type) {
	case *api.Function:
		v.function, err = function.New(ctx, m, w.Name, work.Module.Limits, log)
	case *api.Component:
		if work.Interface == api.InterfaceCGI {
			v.web, err = cgi.New(ctx, m, w.Name, work, log)
			break
		}
		v.module, v.command, v.said.state = m, work, api.StateStarting
		err = program.CheckCommand(m.Shape)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// start begins what runs by itself; what only answers is running already.
func (v *version) start(ctx context.Context, a *actor) {
	report := func(s status) { a.tell(v, s) }
	if v.command == nil {
		report(status{state: api.StateRunning})
		return
	}
	ctx, v.cancel = context.WithCancel(ctx)
	c := &command{
		start:   func(ctx context.Context) error { return v.runOnce(ctx, a) },
		tail:    a.log.Tail,
		report:  report,
		restart: func() { a.Restart(a.ref) },
	}
	if v.command.Module.Limits.EpochMS > 0 {
		c.deadline = program.Deadline(v.command.Module.Limits)
	}
	v.running.Go(func() {
		c.run(ctx)
		v.ended.Store(true)
	})
}

// runOnce runs one instance of a command to its end.
func (v *version) runOnce(ctx context.Context, a *actor) error {
	defer a.Threads.Enter()()
	out, complaints := a.log.Writer(logs.Stdout), a.log.Writer(logs.Stderr)
	defer out.Flush()
	defer complaints.Flush()
	env := sandbox.Env{Args: append([]string{string(v.name)}, v.command.Args...), Stdout: out, Stderr: complaints}
	for name, value := range v.command.Env {
		env.Vars = append(env.Vars, sandbox.Var{Name: name, Value: value})
	}
	return v.module.Run(ctx, env)
}

// stop ends the version and frees its module; calls on their way go on.
func (v *version) stop() {
	switch {
	case v.function != nil:
		v.function.Close()
	case v.web != nil:
		v.web.Close()
	default:
		if v.cancel != nil {
			v.cancel()
		}
		v.running.Wait()
		v.module.Release()
	}
}

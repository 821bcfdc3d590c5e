package execute

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Where a guest sees the folders of its run.
const (
	guestWork   = "/"
	guestAssets = "/tmp/assets"
)

// errTimeout is the cause of the end of what was out of time.
var errTimeout = errors.New("its time is over")

// wasm runs a module, and says how it ended.
func (x *execution) wasm() jobs.Change {
	r := &x.order.Body.Runtime
	work, err := x.of.cfg.Admit.Bound(&api.Component{Module: api.Program{Blob: r.Program.SHA256, Size: r.Program.Size, Limits: r.Limits}})
	if err != nil {
		return x.failed(elsewhere(err))
	}
	p := work.Program()
	m, err := x.of.warm.load(x.ctx, p)
	if err != nil {
		return x.failed(here(err))
	}
	defer m.Release()
	if m.Component == nil || m.Component.IsCommand() {
		if err := program.CheckCommand(m.Shape); m.Component == nil && err != nil {
			return x.failed(err)
		}
	} else {
		return x.failed(errors.New("the component exports no wasi:cli/run of WASI 0.2: it is no command"))
	}
	env, release, err := x.surroundings(r)
	if err != nil {
		return x.failed(elsewhere(err))
	}
	defer release()
	env.Fuel = p.Limits.Fuel
	return x.command(m, env, p.Limits)
}

// surroundings are what the guest finds; release closes them.
func (x *execution) surroundings(r *api.JobRuntime) (env engine.Env, release func(), err error) {
	mounts, unmount, err := x.of.cfg.Admit.Open(r.Mounts)
	if err != nil {
		return env, nil, err
	}
	sender, hangUp, err := program.NewSender(r.AllowHosts)
	if err != nil {
		unmount()
		return env, nil, err
	}
	release = func() { hangUp(); unmount() }
	for _, f := range []struct {
		guest, dir string
		ro         bool
	}{{guestWork, x.work, false}, {guestAssets, filepath.Join(x.dir, assetsDir), true}} {
		folder, err := mount.Open(f.dir, f.ro)
		if err != nil {
			release()
			return env, nil, err
		}
		before := release
		release = func() { _ = folder.Close(); before() }
		mounts = append(mounts, engine.Mount{Guest: f.guest, Folder: folder})
	}
	env = engine.Env{Args: append([]string{x.file()}, r.Args...), Mounts: mounts, Sender: sender}
	vars := x.environment()
	vars["REALM_ASSETS"] = guestAssets
	vars["PWD"] = path.Join(guestWork, x.order.Body.WorkingDir) // where guests of Go begin
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env.Vars = append(env.Vars, engine.Var{Name: name, Value: vars[name]})
	}
	return env, release, nil
}

// command runs the module once.
func (x *execution) command(m *engine.Module, env engine.Env, l api.Limits) jobs.Change {
	ctx, cancel := context.WithCancelCause(x.ctx)
	defer cancel(nil)
	if d := time.Duration(x.order.Body.Timeout); d > 0 {
		late := time.AfterFunc(d, func() { cancel(errTimeout) })
		defer late.Stop()
	}
	run := ctx
	if l.EpochMS > 0 {
		var end context.CancelFunc
		run, end = engine.WithDeadline(ctx, program.Deadline(l))
		defer end()
	}
	stdout, stderr := x.log.writer(logs.Stdout), x.log.writer(logs.Stderr)
	env.Stdout, env.Stderr = stdout, stderr
	used := make(chan engine.Usage, 1)
	env.Used = func(u engine.Usage) { used <- u }
	c := jobs.Change{Started: time.Now()}
	if !x.running(c.Started, nil, func() {}) {
		return c
	}
	err := program.Advise(m.Run(run, env))
	c.Ended = time.Now()
	stdout.Flush()
	stderr.Flush()
	select {
	case u := <-used:
		c.Usage = api.JobUsage{CPU: api.Duration(u.CPU), MemoryKB: u.Memory >> 10, Fuel: u.Fuel}
		if x.of.cfg.Account != nil {
			x.of.cfg.Account(x.order.Job, u)
		}
	default: // it has left its call behind, which does not return
	}
	x.judge(&c, err, context.Cause(ctx))
	return c
}

// judge says how a module ended.
func (x *execution) judge(c *jobs.Change, err, cause error) {
	var exit *engine.ExitError
	code := 0
	switch {
	case err == nil:
		c.State, c.Exit = api.ExecSucceeded, &code
	case errors.As(err, &exit):
		code = int(exit.Code)
		c.State, c.Exit, c.Reason = api.ExecFailed, &code, exitText(code)
	case errors.Is(cause, errTimeout):
		c.State, c.TimedOut, c.Reason = api.ExecFailed, true, timeoutText(x.order.Body)
	default:
		var late *engine.DeadlineError
		c.State, c.TimedOut, c.Reason = api.ExecFailed, errors.As(err, &late), err.Error()
	}
}

func exitText(code int) string { return fmt.Sprintf("it ended with exit code %d", code) }

func timeoutText(j *api.Job) string {
	return fmt.Sprintf("timed out after %s", time.Duration(j.Timeout))
}

package execute

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/policy"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
)

func nativeLog(dir string) string { return native.LogPath(filepath.Join(dir, shimDir)) }

// native starts a program under a shim, and says how it ended.
func (x *execution) native() jobs.Change {
	spec, err := x.spec()
	if err != nil {
		return x.failed(err)
	}
	program, err := native.Start(x.ctx, spec)
	if fault := (*native.ProgramError)(nil); errors.As(err, &fault) {
		return x.failed(err)
	}
	if err != nil {
		return x.failed(elsewhere(err))
	}
	return x.watch(program)
}

// resume goes on with a program that an earlier process of runnerd has started.
func (x *execution) resume(program *native.Execution) {
	x.end(x.guard(func() jobs.Change { return x.watch(program) }))
}

// watch waits for the end of a program.
func (x *execution) watch(program *native.Execution) jobs.Change {
	kill := func() {
		if err := program.Stop(stopGrace); err != nil {
			x.of.cfg.Log.Warn("stop a job", "job", string(x.order.Job), "error", err.Error())
		}
	}
	if !x.running(program.Started(), program, kill) {
		kill()
	}
	ctx := context.Background() // its end is waited for, whatever else is
	following, done := context.WithCancel(ctx)
	go func() { _ = program.Follow(following, x.log.grown) }()
	r, err := program.Wait(ctx)
	done()
	if err != nil {
		return jobs.Change{State: api.ExecLost, Reason: err.Error(), Started: program.Started()}
	}
	if r.Dropped > 0 {
		x.log.note(r.Dropped)
	}
	return x.outcome(&r)
}

// outcome is what a result says.
func (x *execution) outcome(r *native.Result) jobs.Change {
	c := jobs.Change{State: api.ExecFailed, Reason: r.Reason, Started: r.Started, Ended: r.Ended, Signal: r.Signal,
		Usage: api.JobUsage{CPU: api.Duration(r.CPU), MemoryKB: r.MaxRSS >> 10}}
	if r.Code >= 0 {
		c.Exit = &r.Code
	}
	switch {
	case r.Ending == native.Exited && r.Code == 0:
		c.State, c.Reason = api.ExecSucceeded, ""
	case r.Ending == native.Exited:
		c.Reason = exitText(r.Code)
	case r.Ending == native.TimedOut:
		c.TimedOut, c.Reason = true, timeoutText(x.order.Body)
	case c.Reason == "":
		c.Reason = fmt.Sprintf("it was ended: %s %s", r.Ending, r.Signal)
	}
	return c
}

// spec is how the program is run.
func (x *execution) spec() (s native.Spec, err error) {
	body := x.order.Body
	machine, err := x.of.machine()
	if err != nil {
		return s, elsewhere(err)
	}
	binary := filepath.Join(x.dir, programDir, x.file())
	argv, files, err := x.argv(binary)
	if err != nil {
		return s, err
	}
	dir := filepath.Join(x.dir, shimDir)
	if err := os.MkdirAll(dir, foldersMode); err != nil {
		return s, elsewhere(err)
	}
	s = native.Spec{
		Dir: dir, Argv: argv, Files: files, Env: x.environment(),
		WorkDir: x.work, Cwd: filepath.FromSlash(body.WorkingDir), Private: x.of.cfg.Private,
		Timeout: time.Duration(body.Timeout), Grace: timeoutGrace, Machine: &machine,
		Limits: native.Limits{MemoryMB: body.Resources.MemoryMB, CPUs: float64(body.Resources.CPUMilli) / 1000, DiskMB: body.Resources.DiskMB},
	}
	if s.Limits.DiskMB == 0 {
		s.Limits.DiskMB = api.DefaultJobDiskMB
	}
	for _, a := range x.order.Assets {
		s.Assets = append(s.Assets, native.Asset{Name: a.Name, Path: filepath.Join(x.dir, assetsDir, a.Name)})
	}
	return s, nil
}

// argv is the command line, and which files beside its first one the program needs.
func (x *execution) argv(binary string) (argv, files []string, err error) {
	r := &x.order.Body.Runtime
	allowed, err := x.of.cfg.Policy()
	if err != nil {
		return nil, nil, elsewhere(err)
	}
	if r.Type == api.RuntimeNative {
		if !allowed.AllowNative {
			return nil, nil, elsewhere(errors.New("this machine's policy does not allow native execution"))
		}
		return append([]string{binary}, r.Args...), nil, nil
	}
	if !allowed.AllowEmulation {
		return nil, nil, elsewhere(errors.New("this machine's policy does not allow emulation"))
	}
	_, arch, _ := strings.Cut(r.TargetPlatform, "/")
	emulator, err := policy.Emulator(arch)
	if r.QEMU != "" {
		if emulator, err = exec.LookPath(r.QEMU); err != nil {
			err = fmt.Errorf("%s is not on PATH here: install the package qemu-user-static", r.QEMU)
		}
	}
	if err != nil {
		return nil, nil, elsewhere(err)
	}
	return append([]string{emulator, binary}, r.Args...), []string{binary}, nil
}

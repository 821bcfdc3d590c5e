package workload

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/cgi"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/folders"
	"github.com/realm-mesh/realm/runnerd/internal/function"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
	"github.com/realm-mesh/realm/runnerd/internal/wasihttp"
)

// version is one version of a workload, made ready: a function, a web program, or
// a command. It holds a module, and what the node gives it, until it is stopped.
type version struct {
	name     api.Name
	work     api.Workload
	instance api.Digest
	update   api.Update // with its defaults, likewise health
	health   api.Health
	room     func() // gives back what the node has admitted it to

	function *function.Function
	web      Web

	module  *engine.Module // of a command
	command *api.Component
	folders *folders.Set
	mounts  []engine.Mount // of a web program
	given   []engine.Mount // secrets in memory
	unmount func()
	sender  engine.Sender // of its requests; nil: it sends none
	log     *logs.Log
	tail    logs.Tail // of a command

	cancel  context.CancelFunc
	running sync.WaitGroup // its command, or the one that probes it
	calls   calls
	late    *time.Timer // until it counts as failed; nil: it may take as long as it likes

	// Under the actor's mu.
	signed  intent.Signed // it changes when another version asks for the same
	begun   bool          // it was started
	good    bool          // it has been ready, now or before the process has started
	vouched bool          // others run it, so that it is taken for one that can be
	said    status        // what it has said last
	cause   string        // what went wrong last, if anything did
	since   time.Time     // since when it has been in that state
	kept    api.Digest    // it was kept on disk under that name
	overdue time.Duration // it was not ready after that; 0: it was, or still may be
}

func newVersion(s intent.Signed, work api.Workload, room func(), log *logs.Log) *version {
	v := &version{name: s.Name, work: work, instance: work.Instance(), room: room, signed: s, unmount: func() {}, log: log}
	if c, ok := work.(*api.Component); ok {
		v.update, v.health = c.Update.WithDefaults(), c.Health.WithDefaults()
	}
	v.said = status{state: api.StateStarting}
	return v
}

// fill makes v of a module, which belongs to it from now on. Errors are those of
// [actor.prepare].
func (v *version) fill(ctx context.Context, m *engine.Module, a *actor) (err error) {
	defer func() {
		if err != nil {
			m.Release()
			v.unmount()
		}
	}()
	switch work := v.work.(type) {
	case *api.Function:
		v.function, err = function.New(ctx, m, v.name, work.Module.Limits, a.log, a.account)
		return err
	case *api.Component:
		if work, err = v.equip(ctx, a, work); err != nil {
			return err
		}
		if work.Interface != api.InterfaceCommand {
			return v.answer(ctx, exchange.Config{Module: m, Name: v.name, Component: work, Mounts: v.mounts,
				Sender: v.sender, Log: a.log, Account: a.account, Linger: v.calls.enter})
		}
		v.module, v.command = m, work
		return program.CheckCommand(m.Shape)
	}
	return program.Refuse("it is a %T", v.work) // never: there are no others
}

// answer makes v a web program.
func (v *version) answer(ctx context.Context, c exchange.Config) error {
	var web Web
	var err error
	if c.Component.Interface == api.InterfaceCGI {
		web, err = cgi.New(ctx, c)
	} else {
		web, err = wasihttp.New(ctx, c)
	}
	if err == nil {
		v.web = web
	}
	return err
}

// probed reports whether v is asked whether it is well.
func (v *version) probed() bool { return v.web != nil && v.health.Path != "" }

// firstState is where v stands when it is started.
func (v *version) firstState() api.State {
	if v.command == nil && (v.good || !v.probed()) {
		return api.StateRunning
	}
	return api.StateStarting
}

// start begins what runs by itself; what only answers is running already.
func (v *version) start(life context.Context, a *actor) {
	ctx, cancel := context.WithCancel(life)
	v.cancel = cancel
	report := func(s status) { a.tell(life, v, s) }
	report(status{state: v.firstState()})
	switch {
	case v.command != nil:
		c := v.runner(a, report)
		v.running.Go(func() { c.run(ctx) })
	case v.probed():
		p := &prober{ask: a.asker(v), health: v.health, good: v.good, report: report}
		v.running.Go(func() { p.run(ctx) })
	}
}

// runner runs v's command.
func (v *version) runner(a *actor, report func(status)) *command {
	c := &command{
		start:   func(ctx context.Context) error { return v.runOnce(ctx, a) },
		tail:    v.tail.Lines,
		report:  report,
		restart: func() { a.Restart(a.ref) },
		alive:   time.Duration(v.health.Alive),
		policy:  v.command.Restart,
	}
	if v.command.Module.Limits.EpochMS > 0 {
		c.deadline = program.Deadline(v.command.Module.Limits)
	}
	return c
}

// runOnce runs one instance of a command to its end.
func (v *version) runOnce(ctx context.Context, a *actor) error {
	mounts, end, err := v.replica()
	if err != nil {
		return err
	}
	defer end()
	out, complaints := a.log.WriterOf(logs.Stdout, &v.tail), a.log.WriterOf(logs.Stderr, &v.tail)
	defer out.Flush()
	defer complaints.Flush()
	env := engine.Env{Args: append([]string{string(v.name)}, v.command.Args...), Stdout: out, Stderr: complaints, Mounts: mounts, Sender: v.sender,
		Fuel: v.command.Module.Limits.Fuel, Used: a.account.Used, Holds: a.account.Holds}
	for name, value := range v.command.Env {
		env.Vars = append(env.Vars, engine.Var{Name: name, Value: value})
	}
	if c := v.module.Component; c != nil && !c.IsCommand() {
		fmt.Fprintln(complaints, "(the component exports no wasi:cli/run of WASI 0.2: nothing runs)")
		return nil
	}
	return program.Advise(v.module.Run(ctx, env))
}

// alive reports whether v runs or answers, or will again by itself. It may be nil.
func (v *version) alive() bool { return v != nil && !v.said.over && v.overdue == 0 }

// worth reports whether v is to go on until another version is ready. It may be nil.
func (v *version) worth() bool { return v.alive() && (v.good || v.vouched) }

// failed reports whether v is not worth going on with.
func (v *version) failed() bool { return v.status().state == api.StateFailed }

// serves reports whether v does what it is for.
func (v *version) serves() bool {
	switch st := v.status(); st.state {
	case api.StateRunning:
		return true
	case api.StateStarting: // brought back a moment ago
		return v.good && st.restarts == 0
	}
	return false
}

// status is where v stands.
func (v *version) status() status {
	st := v.said
	if v.overdue > 0 && !st.over && !v.good {
		st.state, st.tail = api.StateFailed, v.lastWords()
		why := cmp.Or(v.cause, "it is "+string(v.said.state))
		st.reason = fmt.Sprintf("it was not ready after %s: %s", v.overdue, why)
	}
	return st
}

// lastWords are the last log lines, of v alone where that can be told.
func (v *version) lastWords() []string {
	if v.command != nil {
		return v.tail.Lines()
	}
	return v.log.Tail()
}

// halt ends what runs of v. It can be started again.
func (v *version) halt() {
	if v.late != nil {
		v.late.Stop()
	}
	if v.cancel != nil {
		v.cancel()
	}
	v.running.Wait()
}

// stop ends v and frees what it holds; calls on their way go on.
func (v *version) stop() {
	v.halt()
	switch {
	case v.function != nil:
		v.function.Close()
	case v.web != nil:
		v.web.Close()
	default:
		v.module.Release()
	}
	v.room()
	v.calls.whenNone(v.unmount)
}

// stop stops those of all that are not nil.
func stop(all ...*version) {
	for _, v := range all {
		if v != nil {
			v.stop()
		}
	}
}

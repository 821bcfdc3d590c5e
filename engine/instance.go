package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	wapi "github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasi"
)

// Names of exports that WASI gives a meaning.
const (
	EntryCommand = "_start"      // runs a command to its end
	EntryReactor = "_initialize" // sets up what other exports need
)

// Env is what a guest finds around it. Streams that are nil are empty.
//
// The streams are used from a goroutine of the guest, even after a call ended
// with [ErrRunaway]. They must not block for long once the guest's context has ended.
// They must not keep what they are given to write: it is the guest's own memory, and
// gone with it.
type Env struct {
	Args   []string // the first is the program's name
	Vars   []Var
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Mounts []Mount // without any it sees no file system
	Sender Sender  // of the requests of a component; nil: they are denied
	// Fuel is how much it may use, from its making to its end; 0: there is no limit.
	Fuel uint64
	// Used is told what it has used when it is closed; nil: nobody wants to know. After
	// [ErrRunaway] that is later than its user has left it.
	Used func(Usage)
	// Holds is told how many bytes of memory and tables it takes more, or fewer, than
	// before; nil: nobody wants to know. In the end that adds up to nothing.
	Holds func(bytes int64)
}

// Usage is what an instance has used, from its making to its end.
type Usage struct {
	Fuel   uint64        // of a call that has trapped, up to [meter.Slice] more or less
	Memory int64         // bytes of its linear memory and tables, which never shrink
	CPU    time.Duration // of the processor; where systems do not tell: time awake
}

// What a guest finds around it.
type (
	// Mount is a folder of the host, and where a guest sees it.
	Mount = wasi.Mount
	// Var is an environment variable.
	Var = wasi.Var
	// Sender sends the requests of components.
	Sender = wasi.Sender
)

// Instance is a guest with memory of its own. It is used by one goroutine at a time.
type Instance struct {
	module  *Module
	guest   wapi.Module         // of a core module, or
	parts   *component.Instance // of a component, and
	world   *wasi.Guest         // what it has of the host
	sleep   sleeper
	watch   stopwatch
	turn    turn
	memory  memories
	space   *meter.Space
	fuel    uint64
	budget  *meter.Budget
	work    work   // of the current call
	texts   uint64 // bytes of the arguments and the environment
	used    func(Usage)
	views   []*mount.View // of the mounts
	outcome mount.Outcome // of the last call to one of them

	mu      sync.Mutex
	busy    bool // a call is on its way, perhaps as a runaway
	runaway bool // and is one
	closing bool // to be closed when that call returns
	closed  bool
}

// Run makes an instance, runs its _start, or wasi:cli/run, to the end and closes it; exit
// code 0 is no error. Errors: [component.ErrNoEntry], [*ExitError], [*Trap], [*FuelError], [*StackError], [*MemoryError],
// [*StoppedError], [ErrRunaway].
func (m *Module) Run(ctx context.Context, env Env) error {
	if m.Component != nil && !m.Component.IsCommand() {
		return component.ErrNoEntry
	}
	i := m.instance()
	defer i.Close()
	err := i.attend(ctx, func() error {
		if err := i.open(ctx, env); err != nil {
			return err
		}
		if i.parts != nil {
			return i.run(ctx)
		}
		return i.call(ctx, EntryCommand, nil)
	})
	if exit := new(ExitError); errors.As(err, &exit) && exit.Code == 0 {
		return nil
	}
	return err
}

// New makes an instance and runs its _initialize, where it has one. The caller
// must close it. Errors are those of [Module.Run].
func (m *Module) New(ctx context.Context, env Env) (*Instance, error) {
	i := m.instance()
	err := i.attend(ctx, func() error {
		if err := i.open(ctx, env); err != nil {
			return err
		}
		if i.parts != nil || i.guest.ExportedFunction(EntryReactor) == nil {
			return nil
		}
		return i.call(ctx, EntryReactor, nil)
	})
	if err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// instance returns an empty instance, which keeps m loaded until it is closed.
func (m *Module) instance() *Instance {
	m.Retain()
	i := &Instance{module: m, space: meter.NewSpace(m.size())}
	i.turn.turns, i.turn.watch = m.engine.turns, &i.watch
	i.sleep.turn = &i.turn
	return i
}

// Call calls an export. stack holds the parameters, encoded as 64-bit words, and
// then the results; it is as long as the longer of both. It belongs to the
// instance from now on if the error is [ErrRunaway]. Errors are those of
// [Module.Run]; exit code 0 is one, too.
func (i *Instance) Call(ctx context.Context, export string, stack []uint64) error {
	return i.attend(ctx, func() error { return i.call(ctx, export, stack) })
}

// Close frees the instance, at once or when a runaway call returns.
func (i *Instance) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closing = true
	if !i.busy {
		i.shut()
	}
}

// open and call run in the goroutine of the guest.

func (i *Instance) open(ctx context.Context, env Env) error {
	i.fuel, i.budget, i.used = env.Fuel, meter.NewBudget(env.Fuel), env.Used
	i.budget.Space, i.budget.Yield, i.space.Changed = i.space, i.turn.pass, env.Holds
	i.begin(ctx)
	for _, a := range env.Args {
		i.texts += uint64(len(a))
	}
	for _, v := range env.Vars {
		i.texts += uint64(len(v.Name) + len(v.Value))
	}
	if i.module.linked != nil {
		return i.error(ctx, i.assemble(ctx, &env))
	}
	for _, m := range env.Mounts {
		v := m.Folder.View()
		v.Work, v.Outcome = i.work.on, &i.outcome
		i.views = append(i.views, v)
	}
	i.space.Take(i.module.TableSize()) // there is room: see [Engine.Load]
	ctx = experimental.WithMemoryAllocator(i.context(ctx), i.space.Allocator(i.memory.of(i.module.images[0])))
	guest, err := i.module.runtime.InstantiateModule(ctx, i.module.compiled[0], i.config(&env))
	if err != nil {
		return i.error(ctx, err)
	}
	i.guest = guest
	i.budget.Add(guest)
	return nil
}

func (i *Instance) call(ctx context.Context, export string, stack []uint64) error {
	if i.parts != nil {
		return errors.New("the program is a component: its exports are not called by name")
	}
	f := i.guest.ExportedFunction(export)
	if f == nil {
		return fmt.Errorf("the program exports no function %s", export)
	}
	i.begin(ctx)
	err := f.CallWithStack(i.context(ctx), stack)
	if err == nil {
		err = i.budget.Err() // a function that neither calls nor loops asks for nothing
	}
	return i.error(ctx, err)
}

// guestContext is that of the calls of a guest.
type guestContext struct {
	context.Context //nolint:containedctx // it is one
	instance        *Instance
}

type instanceKey struct{}

// Value implements [context.Context].
func (c *guestContext) Value(key any) any {
	if key == (instanceKey{}) {
		return c.instance
	}
	return c.Context.Value(key)
}

func (i *Instance) context(ctx context.Context) context.Context {
	return &guestContext{meter.WithBudget(ctx, i.budget), i}
}

// begin binds what the host does for the guest to ctx.
func (i *Instance) begin(ctx context.Context) {
	i.sleep.until(ctx)
	i.work = work{ctx, i.budget}
}

// shut frees what the instance holds; i.mu is held and no call is on its way. It
// must not be cut short, hence it takes no context.
//
//nolint:contextcheck,nolintlint // as it says; it speaks for the callers
func (i *Instance) shut() {
	if i.closed {
		return
	}
	i.closed = true
	if i.used != nil && i.budget != nil {
		defer i.used(Usage{i.budget.Used(), i.space.Used(), i.watch.total})
	}
	if i.guest != nil {
		_ = i.guest.Close(context.Background()) // frees memory of this process alone
	}
	if i.parts != nil {
		i.parts.Close(context.Background())
	}
	i.memory.free()
	i.space.Free()
	for _, v := range i.views {
		v.Close()
	}
	if i.world != nil {
		i.world.Close() // it may wait for what is on its way to a client
	}
	i.module.Release()
}

// attend runs fn in a goroutine of the guest's own and waits for it, after the
// end of ctx only for a moment.
func (i *Instance) attend(ctx context.Context, fn func() error) error {
	if err := i.begins(); err != nil {
		return err
	}
	done := make(chan error, 1)
	i.module.workers.do(func() { done <- i.perform(ctx, fn) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
	}
	if i.giveUp() {
		return errors.Join(context.Cause(ctx), ErrRunaway)
	}
	return <-done
}

// begins notes that a call begins, unless too many have not stopped that should have.
func (i *Instance) begins() error {
	if n := i.module.runaways.Load(); n >= maxRunaways {
		return fmt.Errorf("%d earlier runs have not stopped yet: %w", n, ErrRunaway)
	}
	if !i.start() {
		return ErrRunaway
	}
	return nil
}

// perform is a call, in the goroutine of the guest.
func (i *Instance) perform(ctx context.Context, fn func() error) error {
	defer i.ended()
	return guarded(func() error { return i.watch.measure(func() error { return i.inTurn(ctx, fn) }) })
}

// inTurn waits until it is the guest's turn.
func (i *Instance) inTurn(ctx context.Context, fn func() error) error {
	defer i.turn.release()
	if !i.turn.take(ctx) {
		return &StoppedError{context.Cause(ctx), i.usedFuel()}
	}
	return fn()
}

func (i *Instance) usedFuel() uint64 {
	if i.budget == nil {
		return 0
	}
	return i.budget.Used()
}

func guarded(fn func() error) (err error) {
	defer recovered(&err)
	return fn()
}

// start notes that a call begins; false: an earlier one has not returned.
func (i *Instance) start() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy {
		return false
	}
	i.busy = true
	return true
}

// ended notes that the call has returned.
func (i *Instance) ended() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy = false
	if i.runaway {
		i.module.runaways.Add(-1)
	}
	if i.closing {
		i.shut()
	}
}

// giveUp counts the call on its way as a runaway; false: it has just returned.
func (i *Instance) giveUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy {
		i.runaway = true
		i.module.runaways.Add(1)
	}
	return i.runaway
}

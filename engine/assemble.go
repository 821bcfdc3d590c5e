package engine

import (
	"context"
	"errors"

	wapi "github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasi"
)

// assemble makes the instance of a component.
func (i *Instance) assemble(ctx context.Context, env *Env) (err error) {
	i.world = wasi.New(i.surroundings(env))
	i.parts, err = i.module.linked.New(i.context(ctx), componentHost{i}, i.world)
	return err
}

// surroundings are what a component finds around it.
func (i *Instance) surroundings(env *Env) wasi.Env {
	return wasi.Env{Args: env.Args, Vars: env.Vars, Stdin: env.Stdin, Stdout: env.Stdout, Stderr: env.Stderr,
		Mounts: env.Mounts, Sender: env.Sender, Idle: i.idle, Work: i.toil}
}

// idle waits for something else than the guest: others have its turn meanwhile.
func (i *Instance) idle(_ context.Context, wait func()) {
	i.turn.release()
	i.watch.stop()
	defer i.watch.start()
	wait()
}

// toil counts n bytes that the host moves for the guest.
func (i *Instance) toil(ctx context.Context, n uint64) error {
	i.budget.Charge(n / meter.BytesPerFuel)
	return i.budget.Check(ctx)
}

// run runs a command to its end.
func (i *Instance) run(ctx context.Context) error {
	return i.within(ctx, func(ctx context.Context) error {
		ok, err := i.parts.Run(ctx)
		if err == nil && !ok {
			err = &ExitError{1}
		}
		return err
	})
}

// within has fn call the component.
func (i *Instance) within(ctx context.Context, fn func(context.Context) error) error {
	i.begin(ctx)
	err := fn(i.context(ctx))
	if err == nil {
		err = i.budget.Err()
	}
	return i.error(ctx, err)
}

// componentHost is an instance as its component sees it: it implements [component.Host].
type componentHost struct{ *Instance }

var _ component.Host = componentHost{}

// Charge counts fuel, and reports whether the guest may go on.
func (h componentHost) Charge(ctx context.Context, n uint64) error {
	h.budget.Charge(n)
	return h.budget.Check(ctx)
}

// Room takes room for what is no memory of a core module.
func (h componentHost) Room(bytes, memory int64) error {
	if !h.space.Take(bytes) || !h.space.Fits(memory) {
		return errNoRoom
	}
	return nil
}

var errNoRoom = errors.New("there is no room for one of its core modules")

// Memory counts the memory of a core module.
func (h componentHost) Memory(module int) experimental.MemoryAllocator {
	return h.space.Allocator(h.memory.of(h.module.images[module]))
}

// Made counts a core instance in.
func (h componentHost) Made(m wapi.Module) { h.budget.Add(m) }

// Begin counts a call of the host.
func (h componentHost) Begin(ctx context.Context) error {
	h.budget.Charge(HostCallFuel)
	return h.budget.Check(ctx)
}

// End has others take their turn, before m goes on.
func (h componentHost) End(ctx context.Context, m wapi.Module) {
	h.budget.Settle(m)
	h.turn.pass(ctx)
}

// Enter and Leave enclose what may take the host long.
func (h componentHost) Enter() { h.turn.enter() }

// Leave implements [component.Host].
func (h componentHost) Leave(ctx context.Context) { h.turn.leave(ctx) }

package canon

import (
	"context"
	"fmt"
)

// Lowered is a function that a component instance imports, for its core modules.
type Lowered struct {
	Func     *Func
	Instance *Instance
	Options  Options
	// Callee is a HostFunc, or the Lifted of another instance of the same Store.
	Callee Callee
}

// Call is what the core function that Func.Lower describes does: it takes its
// parameters from stack and leaves its result there; there is room for both, as wazero
// has it. Its error has to end the guest: panic with it.
func (l *Lowered) Call(ctx context.Context, stack []uint64) error {
	if err := l.Instance.mayLeave(); err != nil {
		return err
	}
	s := l.Instance.store
	f := s.frame(l.Instance, &l.Options)
	if err := l.run(ctx, f, stack); err != nil {
		f.abandonOwns(ctx)
		return err
	}
	s.free(f)
	return nil
}

func (l *Lowered) run(ctx context.Context, f *frame, stack []uint64) error {
	f.fuel += callFuel
	_, guest := l.Callee.(*Lifted)
	f.shares = !guest // which would allocate, and run, before it has them
	args, err := f.liftParams(ctx, l.Func, flats(stack))
	if err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	where := l.where(stack)
	f.owns = f.owns[:0] // the callee's
	result, err := l.call(ctx, args)
	if err != nil {
		return err
	}
	if err := f.lowerResult(ctx, l.Func, result, where, stack); err != nil {
		f.abandonArgs(ctx, result)
		return err
	}
	for _, index := range f.lent {
		f.inst.table.entries[index].lends--
	}
	return f.settle(ctx)
}

// call calls the callee. A panic of the host's is its own affair.
func (l *Lowered) call(ctx context.Context, args []any) (any, error) {
	if guest, ok := l.Callee.(*Lifted); ok {
		return guest.from(ctx, l.Instance, args)
	}
	return l.Callee.Call(ctx, args)
}

// where is the address for a result in memory: the last parameter.
func (l *Lowered) where(stack []uint64) uint32 {
	if !l.Func.returned() {
		return 0
	}
	if l.Func.spilled() {
		return uint32(stack[1])
	}
	return uint32(stack[len(l.Func.params.flat)])
}

func quantity(n int) string { return fmt.Sprintf("%d arguments", n) }

package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// Callee is what is behind a function that a guest imports.
type Callee interface {
	// Call is given a value for each parameter, and returns the result, nil if there is
	// none. Owns in the arguments are its from now on. Borrows are valid until it returns,
	// and so is a []byte that the host is given: it is the guest's memory.
	Call(ctx context.Context, args []any) (any, error)
}

// HostFunc is a Callee of the host's. Its error ends the call of the guest, and the guest.
type HostFunc func(ctx context.Context, args []any) (any, error)

// Call calls h.
func (h HostFunc) Call(ctx context.Context, args []any) (any, error) { return h(ctx, args) }

// Lifted is a function that a component instance exports. Core has the type that
// Func.Lift says; see [Export].
type Lifted struct {
	Func     *Func
	Instance *Instance
	Options  Options
	Core     api.Function
}

// Call calls the guest. It takes the owns in args: if it fails, those of the host's
// resources that the guest did not get are dropped. Owns in the result are the caller's.
func (l *Lifted) Call(ctx context.Context, args []any) (any, error) {
	return l.from(ctx, nil, args)
}

// from calls the guest for caller; nil: the host.
func (l *Lifted) from(ctx context.Context, caller *Instance, args []any) (result any, err error) {
	s := l.Instance.store
	f := s.frame(l.Instance, &l.Options)
	err = s.within(ctx, caller, l.Instance, func() error {
		result, err = l.run(ctx, f, args)
		return err
	})
	if err != nil {
		f.abandonArgs(ctx, args...)
		f.abandonOwns(ctx)
		return nil, err
	}
	s.free(f)
	return result, nil
}

func (l *Lifted) run(ctx context.Context, f *frame, args []any) (any, error) {
	if len(args) != len(l.Func.params.fields) {
		return nil, &ValueError{Want: quantity(len(l.Func.params.fields)), Got: quantity(len(args))}
	}
	if err := f.lowerParams(ctx, l.Func, args); err != nil {
		return nil, err
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	if err := l.Core.CallWithStack(ctx, f.stack[:]); err != nil {
		return nil, err
	}
	result, err := f.liftResult(ctx, l.Func, f.stack[:1])
	if err != nil {
		return nil, err
	}
	if f.borrows > 0 {
		return nil, trapf("a call returns before it has dropped %d borrows", f.borrows)
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	return result, l.postReturn(ctx, f)
}

// postReturn has the guest free what its result took: it is given what the guest returned,
// which is still on the stack.
func (l *Lifted) postReturn(ctx context.Context, f *frame) error {
	if l.Options.PostReturn == nil {
		return nil
	}
	f.inst.confined = true
	if err := l.Options.PostReturn.CallWithStack(ctx, f.stack[:]); err != nil {
		return err
	}
	f.inst.confined = false
	return nil
}

package canon

import (
	"context"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// flats are core values that are being lifted.
type flats []uint64

func (s *flats) next() uint64 {
	v := (*s)[0]
	*s = (*s)[1:]
	return v
}

// liftParams lifts the arguments of a call that a guest makes.
func (f *frame) liftParams(ctx context.Context, fn *Func, in flats) (args []any, err error) {
	l := &fn.params
	if err := f.take(anyBytes * int64(len(l.fields))); err != nil {
		return nil, err
	}
	args = make([]any, len(l.fields))
	if fn.spilled() {
		b, err := f.memory(uint32(in.next()), l.size, l.align)
		if err != nil {
			return nil, err
		}
		return f.loadFields(ctx, l, b, args)
	}
	for i := range l.fields {
		if args[i], err = f.lift(ctx, l.fields[i].layout, &in); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// liftResult lifts what a guest returned.
func (f *frame) liftResult(ctx context.Context, fn *Func, in flats) (any, error) {
	switch l := fn.result; {
	case l == nil:
		return nil, nil
	case fn.returned():
		b, err := f.memory(uint32(in.next()), l.size, l.align)
		if err != nil {
			return nil, err
		}
		return f.load(ctx, l, b)
	default:
		return f.lift(ctx, l, &in)
	}
}

// lift lifts a value from core values. The type of each does not matter: all of
// them are the bits of it, zeros above, as joins of variants have them.
func (f *frame) lift(ctx context.Context, l *layout, in *flats) (any, error) {
	if err := f.work(ctx, 1, 0); err != nil {
		return nil, err
	}
	switch l.kind {
	case wit.String:
		ptr, n := uint32(in.next()), uint32(in.next())
		return f.loadText(ctx, ptr, n)
	case wit.List:
		ptr, n := uint32(in.next()), uint32(in.next())
		return f.loadList(ctx, l, ptr, n)
	case wit.Record, wit.Tuple:
		return f.liftFields(ctx, l, in)
	case wit.Variant, wit.Option, wit.Result:
		return f.liftCase(ctx, l, in)
	case wit.Own, wit.Borrow:
		return f.liftHandle(l, uint32(in.next()))
	}
	return l.value(in.next())
}

func (f *frame) liftFields(ctx context.Context, l *layout, in *flats) (_ any, err error) {
	out := make([]any, len(l.fields))
	for i := range l.fields {
		if out[i], err = f.lift(ctx, l.fields[i].layout, in); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *frame) liftCase(ctx context.Context, l *layout, in *flats) (any, error) {
	rest := (*in)[len(l.flat):]
	c := wit.Choice{Case: uint32(in.next())}
	held, err := f.begin(l, c.Case)
	if err != nil {
		return nil, err
	}
	if held != nil {
		if c.Value, err = f.lift(ctx, held, in); err != nil {
			return nil, err
		}
	}
	*in = rest
	return c, nil
}

// liftHandle takes an own from the guest, or borrows a handle of its.
func (f *frame) liftHandle(l *layout, index uint32) (any, error) {
	if err := f.take(handleBytes); err != nil {
		return nil, err
	}
	if l.kind == wit.Borrow {
		h, err := f.inst.table.get(index, l.res)
		if err != nil {
			return nil, err
		}
		h.lends++
		f.lent = append(f.lent, index)
		return wit.Handle{Resource: l.res, Rep: h.rep}, nil
	}
	h, err := f.inst.takeOwn(index, l.res)
	if err != nil {
		return nil, err
	}
	own := wit.Handle{Resource: l.res, Rep: h.rep, Own: true}
	f.owns = append(f.owns, own)
	return own, nil
}

// abandonOwns ends what was lifted for somebody who will not get it.
func (f *frame) abandonOwns(ctx context.Context) {
	f.giveBack()
	for _, h := range f.owns {
		_ = f.inst.store.abandon(ctx, h.Resource, h.Rep) // the call has failed already
	}
	f.owns = nil
}

package canon

import (
	"context"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// lowerParams lowers the arguments of a call of a guest's function. It fills the stack.
func (f *frame) lowerParams(ctx context.Context, fn *Func, args []any) error {
	l := &fn.params
	if fn.spilled() {
		ptr, err := f.realloc(ctx, 0, 0, l.align, l.size)
		if err != nil {
			return err
		}
		f.stack[0] = uint64(ptr)
		return f.storeFields(ctx, l, args, ptr)
	}
	out := flats(f.stack[:0])
	for i := range l.fields {
		if err := f.lower(ctx, l.fields[i].layout, args[i], &out); err != nil {
			return at(l.step(i), err)
		}
	}
	return nil
}

// lowerResult lowers what a guest's import returns. Where says the guest for one
// that is in memory.
func (f *frame) lowerResult(ctx context.Context, fn *Func, v any, where uint32, stack []uint64) error {
	switch l := fn.result; {
	case l == nil && v != nil:
		return &ValueError{Want: "nothing", Got: kindOf(v)}
	case l == nil:
		return nil
	case fn.returned():
		if _, err := f.memory(where, l.size, l.align); err != nil {
			return err
		}
		return f.store(ctx, l, v, where)
	default:
		out := flats(stack[:0])
		return f.lower(ctx, l, v, &out)
	}
}

// lower appends the core values of v. There is room.
func (f *frame) lower(ctx context.Context, l *layout, v any, out *flats) error {
	if err := f.work(ctx, 1, 0); err != nil {
		return err
	}
	switch l.kind {
	case wit.String, wit.List:
		ptr, n, err := f.storeRange(ctx, l, v)
		*out = append(*out, uint64(ptr), uint64(n))
		return err
	case wit.Record, wit.Tuple:
		return f.lowerFields(ctx, l, v, out)
	case wit.Variant, wit.Option, wit.Result:
		return f.lowerCase(ctx, l, v, out)
	case wit.Own, wit.Borrow:
		index, err := f.lowerHandle(l, v)
		*out = append(*out, uint64(index))
		return err
	}
	bits, err := l.bits(v)
	*out = append(*out, bits)
	return err
}

func (f *frame) lowerFields(ctx context.Context, l *layout, v any, out *flats) error {
	vs, ok := v.([]any)
	if !ok || len(vs) != len(l.fields) {
		return l.wrong(v)
	}
	for i := range l.fields {
		if err := f.lower(ctx, l.fields[i].layout, vs[i], out); err != nil {
			return at(l.step(i), err)
		}
	}
	return nil
}

func (f *frame) lowerCase(ctx context.Context, l *layout, v any, out *flats) error {
	c, held, err := l.choice(v)
	if err != nil {
		return err
	}
	end := len(*out) + len(l.flat)
	*out = append(*out, uint64(c.Case))
	if held != nil {
		if err := f.lower(ctx, held, c.Value, out); err != nil {
			return at(l.step(int(c.Case)), err)
		}
	}
	for len(*out) < end {
		*out = append(*out, 0)
	}
	return nil
}

// choice is v, and what its case holds, nil for nothing.
func (l *layout) choice(v any) (wit.Choice, *layout, error) {
	c, ok := v.(wit.Choice)
	if !ok || c.Case >= l.count {
		return c, nil, l.wrong(v)
	}
	held := l.cases[c.Case].layout
	if held == nil && c.Value != nil {
		return c, nil, at(l.step(int(c.Case)), &ValueError{Want: "nothing", Got: kindOf(c.Value)})
	}
	return c, held, nil
}

// lowerHandle gives the guest an own, or lends it one.
func (f *frame) lowerHandle(l *layout, v any) (uint32, error) {
	h, ok := v.(wit.Handle)
	if ok && h.Resource == nil {
		h.Resource = l.res
	}
	if !ok || h.Resource != l.res || h.Own != (l.kind == wit.Own) {
		return 0, l.wrong(v)
	}
	if h.Own {
		index, err := f.inst.add(handle{res: h.Resource, rep: h.Rep, own: true})
		if err == nil {
			f.placed++
		}
		return index, err
	}
	if f.inst.store.resources[h.Resource].impl == f.inst {
		return h.Rep, nil
	}
	index, err := f.inst.add(handle{res: h.Resource, rep: h.Rep, scope: f})
	if err == nil {
		f.borrows++
	}
	return index, err
}

// realloc asks the guest for memory. Slices of its memory are void after it.
func (f *frame) realloc(ctx context.Context, old, oldSize, align, size uint32) (uint32, error) {
	if f.opts.Realloc == nil {
		return 0, trap("a function that needs realloc has none")
	}
	f.alloc = [4]uint64{uint64(old), uint64(oldSize), uint64(align), uint64(size)}
	f.inst.confined = true
	if err := f.opts.Realloc.CallWithStack(ctx, f.alloc[:]); err != nil {
		return 0, err
	}
	f.inst.confined = false
	ptr := uint32(f.alloc[0])
	_, err := f.memory(ptr, size, align)
	return ptr, err
}

// storeRange lowers a string or a list.
func (f *frame) storeRange(ctx context.Context, l *layout, v any) (ptr, n uint32, err error) {
	if l.kind == wit.String {
		s, ok := v.(string)
		if !ok {
			return 0, 0, l.wrong(v)
		}
		return f.storeText(ctx, s)
	}
	if l.bytes() {
		b, ok := v.([]byte)
		if !ok || len(b) > maxSize {
			return 0, 0, l.wrong(v)
		}
		ptr, err = f.fill(ctx, b)
		return ptr, uint32(len(b)), err
	}
	vs, ok := v.([]any)
	if !ok || uint64(len(vs))*uint64(l.elem.size) > maxSize {
		return 0, 0, l.wrong(v)
	}
	ptr, err = f.realloc(ctx, 0, 0, l.elem.align, uint32(len(vs))*l.elem.size)
	if err != nil {
		return 0, 0, err
	}
	if l.elem.scalar {
		return ptr, uint32(len(vs)), f.storeScalars(ctx, l, vs, ptr)
	}
	for i, v := range vs {
		if err := f.store(ctx, l.elem, v, ptr+uint32(i)*l.elem.size); err != nil {
			return 0, 0, at(l.step(i), err)
		}
	}
	return ptr, uint32(len(vs)), nil
}

// fill copies b into new memory of the guest's.
func (f *frame) fill(ctx context.Context, b []byte) (uint32, error) {
	if err := f.work(ctx, 0, int64(len(b))); err != nil {
		return 0, err
	}
	ptr, err := f.realloc(ctx, 0, 0, 1, uint32(len(b)))
	if err == nil {
		f.opts.Memory.Write(ptr, b) // realloc has looked
	}
	return ptr, err
}

func (f *frame) storeScalars(ctx context.Context, l *layout, vs []any, ptr uint32) error {
	b, err := f.memory(ptr, uint32(len(vs))*l.elem.size, 1)
	if err != nil {
		return err
	}
	for i, v := range vs {
		if i%piece == 0 {
			if err := f.work(ctx, min(piece, len(vs)-i), 0); err != nil {
				return err
			}
		}
		bits, err := l.elem.bits(v)
		if err != nil {
			return at(l.step(i), err)
		}
		poke(b[i*int(l.elem.size):], l.elem.size, bits)
	}
	return nil
}

// store lowers v to ptr, which is aligned and has room. Guests may run in it.
func (f *frame) store(ctx context.Context, l *layout, v any, ptr uint32) error {
	if err := f.work(ctx, 1, 0); err != nil {
		return err
	}
	switch l.kind {
	case wit.String, wit.List:
		at, n, err := f.storeRange(ctx, l, v)
		if err != nil {
			return err
		}
		return f.poke(ptr, 8, uint64(n)<<32|uint64(at))
	case wit.Record, wit.Tuple:
		vs, ok := v.([]any)
		if !ok || len(vs) != len(l.fields) {
			return l.wrong(v)
		}
		return f.storeFields(ctx, l, vs, ptr)
	case wit.Variant, wit.Option, wit.Result:
		return f.storeCase(ctx, l, v, ptr)
	case wit.Own, wit.Borrow:
		index, err := f.lowerHandle(l, v)
		if err != nil {
			return err
		}
		return f.poke(ptr, 4, uint64(index))
	}
	bits, err := l.bits(v)
	if err != nil {
		return err
	}
	return f.poke(ptr, l.size, bits)
}

func (f *frame) storeFields(ctx context.Context, l *layout, vs []any, ptr uint32) error {
	for i := range l.fields {
		s := &l.fields[i]
		if err := f.store(ctx, s.layout, vs[i], ptr+s.offset); err != nil {
			return at(l.step(i), err)
		}
	}
	return nil
}

func (f *frame) storeCase(ctx context.Context, l *layout, v any, ptr uint32) error {
	c, held, err := l.choice(v)
	if err != nil {
		return err
	}
	if err := f.poke(ptr, l.disc, uint64(c.Case)); err != nil || held == nil {
		return err
	}
	if err := f.store(ctx, held, c.Value, ptr+l.payload); err != nil {
		return at(l.step(int(c.Case)), err)
	}
	return nil
}

// poke writes a number of size bytes.
func (f *frame) poke(ptr, size uint32, v uint64) error {
	b, err := f.memory(ptr, size, 1)
	if err != nil {
		return err
	}
	poke(b, size, v)
	return nil
}

// abandonArgs ends the owns in vs, which f was to lower, that it has not.
func (f *frame) abandonArgs(ctx context.Context, vs ...any) {
	skip := f.placed
	f.inst.store.abandonValues(ctx, vs, &skip)
}

func (s *Store) abandonValues(ctx context.Context, vs []any, skip *int) {
	for _, v := range vs {
		switch v := v.(type) {
		case []any:
			s.abandonValues(ctx, v, skip)
		case wit.Choice:
			s.abandonValues(ctx, []any{v.Value}, skip)
		case wit.Handle:
			switch {
			case !v.Own:
			case *skip > 0:
				*skip--
			default:
				_ = s.abandon(ctx, v.Resource, v.Rep) // the call has failed already
			}
		}
	}
}

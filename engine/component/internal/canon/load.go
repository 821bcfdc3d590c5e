package canon

import (
	"context"
	"encoding/binary"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// What values take of Go's memory, about.
const (
	anyBytes    = 16
	boxBytes    = 8 // a number in an any
	stringBytes = 16
	sliceBytes  = 24
	choiceBytes = 24
	handleBytes = 32 // and where frame notes it
)

// load lifts what is in b, of the size of l. Guests do not run in it: b stays.
func (f *frame) load(ctx context.Context, l *layout, b []byte) (any, error) {
	if err := f.work(ctx, 1, 0); err != nil {
		return nil, err
	}
	switch l.kind {
	case wit.String:
		return f.loadText(ctx, binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]))
	case wit.List:
		return f.loadList(ctx, l, binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]))
	case wit.Record, wit.Tuple:
		if err := f.take(sliceBytes + anyBytes*int64(len(l.fields))); err != nil {
			return nil, err
		}
		return f.loadFields(ctx, l, b, make([]any, len(l.fields)))
	case wit.Variant, wit.Option, wit.Result:
		return f.loadCase(ctx, l, b)
	case wit.Own, wit.Borrow:
		return f.liftHandle(l, binary.LittleEndian.Uint32(b))
	}
	if err := f.take(boxBytes); err != nil {
		return nil, err
	}
	return l.value(peek(b, l.size))
}

func (f *frame) loadFields(ctx context.Context, l *layout, b []byte, into []any) (_ []any, err error) {
	for i := range l.fields {
		s := &l.fields[i]
		if into[i], err = f.load(ctx, s.layout, b[s.offset:]); err != nil {
			return nil, err
		}
	}
	return into, nil
}

func (f *frame) loadCase(ctx context.Context, l *layout, b []byte) (any, error) {
	held, err := f.begin(l, uint32(peek(b, l.disc)))
	if err != nil {
		return nil, err
	}
	c := wit.Choice{Case: uint32(peek(b, l.disc))}
	if held != nil {
		if c.Value, err = f.load(ctx, held, b[l.payload:]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// begin begins to lift a case: it returns what the case holds, nil for nothing.
func (f *frame) begin(l *layout, index uint32) (*layout, error) {
	if index >= l.count {
		return nil, trapf("case %d of a variant that has %d", index, l.count)
	}
	return l.cases[index].layout, f.take(choiceBytes)
}

func (f *frame) loadList(ctx context.Context, l *layout, ptr, n uint32) (any, error) {
	size := uint64(n) * uint64(l.elem.size)
	if size > maxSize {
		return nil, trapf("a list takes %d bytes, more than %d", size, maxSize)
	}
	b, err := f.memory(ptr, uint32(size), l.elem.align)
	if err != nil {
		return nil, err
	}
	if l.bytes() {
		if err := f.buy(ctx, sliceBytes+int64(len(b))); err != nil {
			return nil, err
		}
		if f.shares {
			return b[:len(b):len(b)], nil
		}
		return append(make([]byte, 0, len(b)), b...), nil
	}
	if err := f.buy(ctx, sliceBytes+anyBytes*int64(n)); err != nil {
		return nil, err
	}
	out := make([]any, n)
	switch {
	case l.elem.scalar:
		err = f.loadScalars(ctx, l.elem, b, out)
	case l.elem.fields != nil:
		err = f.loadRecords(ctx, l.elem, b, out)
	default:
		err = f.loadElems(ctx, l.elem, b, out)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// buy is for memory that is filled at once.
func (f *frame) buy(ctx context.Context, n int64) error {
	if err := f.take(n); err != nil {
		return err
	}
	return f.work(ctx, 0, n)
}

func (f *frame) loadElems(ctx context.Context, elem *layout, b []byte, out []any) (err error) {
	for i := range out {
		if out[i], err = f.load(ctx, elem, b[i*int(elem.size):]); err != nil {
			return err
		}
	}
	return nil
}

// piece is how many scalars are moved between two looks at the meter.
const piece = 1024

func (f *frame) loadScalars(ctx context.Context, elem *layout, b []byte, out []any) (err error) {
	if err := f.take(boxBytes * int64(len(out))); err != nil {
		return err
	}
	for i := range out {
		if i%piece == 0 {
			if err := f.work(ctx, min(piece, len(out)-i), 0); err != nil {
				return err
			}
		}
		if out[i], err = elem.value(peek(b[i*int(elem.size):], elem.size)); err != nil {
			return err
		}
	}
	return nil
}

// loadRecords takes the memory of all records at once.
func (f *frame) loadRecords(ctx context.Context, elem *layout, b []byte, out []any) error {
	n := len(elem.fields)
	if err := f.buy(ctx, (sliceBytes+anyBytes*int64(n))*int64(len(out))); err != nil {
		return err
	}
	all := make([]any, n*len(out))
	for i := range out {
		if err := f.work(ctx, 1, 0); err != nil {
			return err
		}
		record, err := f.loadFields(ctx, elem, b[i*int(elem.size):], all[i*n:(i+1)*n:(i+1)*n])
		if err != nil {
			return err
		}
		out[i] = record
	}
	return nil
}

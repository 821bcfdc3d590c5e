package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/meter"
)

// Encoding is how strings are in memory.
type Encoding uint8

// The encodings.
const (
	UTF8 Encoding = iota
	UTF16
	Latin1UTF16
)

// Options are those of a canonical definition. What a function needs of them must be
// there ([Func.LiftNeeds], [Func.LowerNeeds]); see [Export] for which functions may be given.
type Options struct {
	Encoding   Encoding
	Memory     api.Memory
	Realloc    api.Function
	PostReturn api.Function
}

// What is charged, in units of fuel: about as many instructions as take as long.
const (
	callFuel   = 100
	handleFuel = 20
	valueFuel  = 10
)

// stepFuel is how much is done before the meter is asked: less than a millisecond.
const stepFuel = 1 << 14

// frame is a call as one instance sees it: what it has lent and borrowed, and what it
// may still use.
type frame struct {
	inst   *Instance
	opts   *Options
	bytes  int64  // that were taken
	fuel   uint64 // not charged yet
	shares bool   // lists of bytes are lifted as the guest's own memory

	lent    []uint32     // handles that the call has borrowed of inst
	owns    []wit.Handle // lifted, and not yet somebody's
	borrows int          // handles of inst that it has to drop
	placed  int          // owns that were lowered

	stack [maxFlatParams + 1]uint64
	alloc [4]uint64
}

func (s *Store) frame(i *Instance, o *Options) *frame {
	var f *frame
	if n := len(s.frames); n > 0 {
		f, s.frames = s.frames[n-1], s.frames[:n-1]
	} else {
		f = &frame{}
	}
	f.inst, f.opts = i, o
	return f
}

// free keeps f for another call. A frame of a call that failed is not: there may be
// borrows that name it.
func (s *Store) free(f *frame) {
	f.giveBack()
	*f = frame{lent: f.lent[:0], owns: f.owns[:0]}
	s.frames = append(s.frames, f)
}

func (s *Store) charge(ctx context.Context, n uint64) error {
	if s.config.Meter == nil {
		return nil
	}
	return s.config.Meter.Charge(ctx, n)
}

// work counts values and bytes that are about to be moved.
func (f *frame) work(ctx context.Context, values int, bytes int64) error {
	if f.fuel += uint64(values)*valueFuel + uint64(bytes)/meter.BytesPerFuel; f.fuel < stepFuel {
		return nil
	}
	return f.settle(ctx)
}

func (f *frame) settle(ctx context.Context) error {
	n := f.fuel
	if n == 0 {
		return nil
	}
	f.fuel = 0
	return f.inst.store.charge(ctx, n)
}

// take counts n bytes of Go's memory that are about to be taken. Calls within calls hold theirs
// at the same time.
func (f *frame) take(n int64) error {
	s := f.inst.store
	f.bytes += n
	if s.bytes += n; s.bytes > s.config.Bytes {
		return trapf("the values of a call take more than %d bytes", s.config.Bytes)
	}
	return nil
}

// giveBack is when nobody has the values any more that f took bytes for.
func (f *frame) giveBack() {
	f.inst.store.bytes -= f.bytes
	f.bytes = 0
}

// memory is n bytes of the guest's, until it is called.
func (f *frame) memory(ptr, n, align uint32) ([]byte, error) {
	if ptr&(align-1) != 0 {
		return nil, trapf("address %#x is not aligned to %d", ptr, align)
	}
	if f.opts.Memory == nil {
		return nil, trap("a function that needs a memory has none")
	}
	b, ok := f.opts.Memory.Read(ptr, n)
	if !ok {
		return nil, trapf("%d bytes at address %#x are not in the memory", n, ptr)
	}
	return b, nil
}

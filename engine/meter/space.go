package meter

import (
	"math"

	"github.com/tetratelabs/wazero/experimental"
)

// MaxElements is how many elements tables of one [Space] may gain, whatever room there
// is: so many are filled within milliseconds.
const MaxElements = 1 << 22

// Space bounds how many bytes the memories and tables of instances take together. What
// grows beyond it fails in the guest, as the specification has it: memory.grow and
// table.grow return -1. It is for one call at a time.
type Space struct {
	limit, used int64
	elements    int64 // gained
	pending     int64 // elements that a table is about to gain
	denied      bool

	// Changed is told how many bytes more are taken than before, or fewer, and must not
	// block; nil: nobody wants to know.
	Changed func(bytes int64)
}

// NewSpace returns a space of that many bytes. Add the tables of an instance by
// [Space.Take] ([Shape.TableSize]) before it is made, and refuse modules that do not fit
// ([Shape.Size]). Memories count by themselves: see [Space.Allocator].
func NewSpace(bytes int64) *Space { return &Space{limit: bytes} }

// Take takes n bytes, and reports whether there is room.
func (s *Space) Take(n int64) bool {
	if n < 0 || n > s.limit-s.used {
		s.denied = true
		return false
	}
	s.add(n)
	return true
}

// Fits reports whether there is room for n bytes, without taking them.
func (s *Space) Fits(n int64) bool {
	fits := n <= s.limit-s.used
	s.denied = s.denied || !fits
	return fits
}

// Free gives back all that is taken. Nothing can be taken after it.
func (s *Space) Free() {
	s.add(-s.used)
	s.limit = 0
}

func (s *Space) add(n int64) {
	s.used += n
	if s.Changed != nil && n != 0 {
		s.Changed(n)
	}
}

// Used is how many bytes are taken. It falls by [Space.Free] alone: memories and tables
// cannot shrink.
func (s *Space) Used() int64 { return s.used }

// Denied reports whether something could not grow for want of room.
func (s *Space) Denied() bool { return s.denied }

// Signals of guests in place of what is left of a slice, beside [stackSignal]: a table is
// about to grow by so many elements as are added to growSignal, and the last one that was
// about to did not.
const (
	growFailedSignal = math.MinInt64 + 1
	growSignal       = math.MinInt64 + 1<<32
)

// isGrow reports whether left is a signal that a table grows.
func isGrow(left int64) bool { return left >= growFailedSignal && left < growSignal+1<<32 }

// grow answers such a signal: by how many elements the table is to grow. 2^32-1 is more
// than there can be.
func (s *Space) grow(signal int64) int64 {
	n := signal - growSignal
	switch {
	case signal == growFailedSignal:
		s.add(-s.pending * ElementSize)
		s.elements -= s.pending
		s.pending = 0
		return 0
	case n > MaxElements-s.elements:
		s.denied, s.pending = true, 0
		return math.MaxUint32
	case !s.Take(n * ElementSize):
		s.pending = 0
		return math.MaxUint32
	}
	s.elements += n
	s.pending = n
	return n
}

// Allocator returns an allocator that has memories from a and counts them in s. Have the
// runtime allow more than there is room for (wazero.RuntimeConfig's WithMemoryLimitPages), or
// [Space.Denied] does not learn of what that refuses.
func (s *Space) Allocator(a experimental.MemoryAllocator) experimental.MemoryAllocator {
	most := uint64(max(s.limit, 0))
	return experimental.MemoryAllocatorFunc(func(size, limit uint64) experimental.LinearMemory {
		return &countedMemory{LinearMemory: a.Allocate(min(size, most), min(limit, most)), space: s}
	})
}

// countedMemory is a memory that takes its bytes from a space.
type countedMemory struct {
	experimental.LinearMemory
	space *Space
	size  int64
}

// Reallocate implements [experimental.LinearMemory].
func (m *countedMemory) Reallocate(size uint64) []byte {
	more := int64(size) - m.size
	if !m.space.Take(more) {
		return nil
	}
	b := m.LinearMemory.Reallocate(size)
	if b == nil {
		m.space.add(-more)
		return nil
	}
	m.size = int64(size)
	return b
}

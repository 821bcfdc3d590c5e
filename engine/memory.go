package engine

import "github.com/tetratelabs/wazero/experimental"

// memories are the linear memories of one guest.
type memories []*memory

// of returns an allocator of memories that begin with an image.
func (m *memories) of(begin *image) experimental.MemoryAllocator {
	return experimental.MemoryAllocatorFunc(func(size, limit uint64) experimental.LinearMemory {
		one := &memory{begin: begin}
		*m = append(*m, one)
		if len(*m) > maxReserved {
			return one
		}
		return one.Allocate(size, limit)
	})
}

// maxReserved is how many memories of a guest have address space of their own; others lie in the
// heap. Each takes two mappings of the process, four with an image, of which Linux gives 65,530 (vm.max_map_count).
const maxReserved = 8

// free gives them back. Nothing may use them any more.
func (m *memories) free() {
	for _, one := range *m {
		one.free()
	}
	*m = nil
}

// memory is a linear memory. It takes address space for as much as the
// guest may ever have, and real memory only for what the guest has written to: it
// grows in place, and is given back at once. In the heap, as wazero has it, each growth
// would leave a copy behind, and the garbage collector would let twice as much lie.
type memory struct {
	space []byte // reserved; nil: it lies in the heap
	heap  []byte
	begin *image // to be laid into it when it is first sized; nil: nothing
}

// Allocate implements [experimental.MemoryAllocator].
func (m *memory) Allocate(_, limit uint64) experimental.LinearMemory {
	m.space = reserve(limit)
	return m
}

// Reallocate implements [experimental.LinearMemory].
func (m *memory) Reallocate(size uint64) []byte {
	b := m.resize(size)
	if m.begin == nil || b == nil {
		return b
	}
	begin := m.begin
	m.begin = nil
	if !begin.lay(b, m.space != nil) {
		return nil
	}
	return b
}

func (m *memory) resize(size uint64) []byte {
	switch {
	case m.space == nil:
		m.heap = append(m.heap, make([]byte, size-uint64(len(m.heap)))...)
		return m.heap
	case size > 0 && !commit(m.space[:size]):
		return nil
	}
	return m.space[:size:size]
}

// Free implements [experimental.LinearMemory]. wazero calls it while the guest is
// still being left, or not at all: see [memory.free].
func (m *memory) Free() {}

// free gives the memory back. Nothing may use it any more.
func (m *memory) free() {
	if m.space != nil {
		release(m.space)
	}
	m.space, m.heap = nil, nil
}

package valid

import (
	"math/bits"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// pointer is the bytes of one in a memory of 64 bits: sizes are bounded as if all
// memories were such.
const pointer = 8

// maxBytes bounds the size of a value in memory.
const maxBytes = 1 << 28

// layOut computes the size and alignment of t in memory, as the Canonical ABI has them.
func (k *checker) layOut(t *valType) {
	t.align = 1
	switch t.kind {
	case binary.Record, binary.Tuple:
		for _, f := range t.fields {
			t.append(f.t)
		}
	case binary.Variant:
		cases := make([]*valType, len(t.fields))
		for i, f := range t.fields {
			cases[i] = f.t
		}
		t.choose(cases)
	case binary.Option:
		t.choose([]*valType{nil, t.elem})
	case binary.Result:
		t.choose([]*valType{t.ok, t.err})
	case binary.List:
		t.bytes, t.align = 2*pointer, pointer
	case binary.Enum:
		t.choose(make([]*valType, len(t.names)))
	case binary.Flags:
		t.align = smallest(len(t.names), 8, 16)
		t.bytes = t.align
	case binary.Own, binary.Borrow:
		t.bytes, t.align = 4, 4
	}
	if t.bytes = round(t.bytes, t.align); t.bytes >= maxBytes {
		k.fail("a value of the type has %d bytes, less than %d are possible", t.bytes, maxBytes)
	}
}

// append adds a field after those there are.
func (t *valType) append(f *valType) {
	t.bytes = round(t.bytes, f.align) + f.bytes
	t.align = max(t.align, f.align)
}

// choose makes it one of cases, each of which may be nil: no value.
func (t *valType) choose(cases []*valType) {
	tag := smallest(len(cases), 1<<8, 1<<16)
	size := uint64(0)
	t.align = tag
	most := uint64(1)
	for _, c := range cases {
		if c != nil {
			size, most = max(size, c.bytes), max(most, c.align)
		}
	}
	t.align = max(tag, most)
	t.bytes = round(tag, most) + size
}

// smallest returns in how many bytes n things go, of which one and two hold so many.
func smallest(n, one, two int) uint64 {
	switch {
	case n <= one:
		return 1
	case n <= two:
		return 2
	}
	return 4
}

// round rounds n up to a multiple of align, a power of two.
func round(n, align uint64) uint64 {
	shift := bits.TrailingZeros64(align)
	return (n + align - 1) >> shift << shift
}

package canon

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// layout is a type as it is in memory and in core values.
type layout struct {
	kind        wit.Kind
	size, align uint32
	// wide is size and alignment in a memory of 64 bits, which no type may exceed either.
	wide struct{ size, align uint32 }
	// flat are its core values. Of more than maxFlatParams only one more is kept: then
	// it is always in memory.
	flat    []api.ValueType
	fields  []slot // of records and tuples
	cases   []slot // of variants, options and results
	count   uint32 // of cases, of enums too; of flags
	disc    uint32 // size of the discriminant
	payload uint32 // offset of what a case holds
	elem    *layout
	res     *wit.Resource
	depth   int
	scalar  bool // one core value, without a meaning beyond itself
	borrows bool // holds borrows
	lists   bool // holds strings or lists
}

// slot is a field or a case. The layout of a case is nil if it holds nothing.
type slot struct {
	name   string
	offset uint32
	*layout
}

// bytes reports whether l is list<u8>, which is a []byte.
func (l *layout) bytes() bool { return l.kind == wit.List && l.elem.kind == wit.U8 }

func alignTo(n, align uint32) uint32 { return (n + align - 1) &^ (align - 1) }

func discSize(cases uint32) uint32 {
	switch {
	case cases <= 1<<8:
		return 1
	case cases <= 1<<16:
		return 2
	}
	return 4
}

func flagsSize(names uint32) uint32 {
	switch {
	case names <= 8:
		return 1
	case names <= 16:
		return 2
	}
	return 4
}

// sized sets the size of what is as large in any memory.
func (l *layout) sized(n uint32, flat api.ValueType) *layout {
	l.size, l.align, l.wide.size, l.wide.align = n, n, n, n
	l.flat, l.scalar = []api.ValueType{flat}, true
	return l
}

// pointed sets the size of strings and lists: a pointer and a length.
func (l *layout) pointed() *layout {
	l.size, l.align, l.wide.size, l.wide.align = 8, 4, 16, 8
	l.flat, l.lists = []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, true
	return l
}

// holds notes what is true of l because it is of a part of it.
func (l *layout) holds(part *layout) {
	l.depth = max(l.depth, part.depth+1)
	l.borrows = l.borrows || part.borrows
	l.lists = l.lists || part.lists
}

// record lays out fields one after another. Parts are below maxSize, and so is the
// sum at each step: nothing overflows.
func (l *layout) record(fields []slot) bool {
	l.align, l.wide.align = 1, 1
	for i := range fields {
		f := &fields[i]
		l.holds(f.layout)
		f.offset = alignTo(l.size, f.align)
		l.size = f.offset + f.size
		l.wide.size = alignTo(l.wide.size, f.wide.align) + f.wide.size
		l.align, l.wide.align = max(l.align, f.align), max(l.wide.align, f.wide.align)
		if n := maxFlatParams + 1 - len(l.flat); n > 0 {
			l.flat = append(l.flat, f.flat[:min(n, len(f.flat))]...)
		}
		if l.wide.size > maxSize {
			return false
		}
	}
	l.size, l.wide.size = alignTo(l.size, l.align), alignTo(l.wide.size, l.wide.align)
	l.fields = fields
	return l.wide.size <= maxSize
}

// variant lays out cases over each other, behind the discriminant.
func (l *layout) variant(cases []slot) bool {
	l.count = uint32(len(cases))
	l.disc = discSize(l.count)
	var size, align, wideSize, wideAlign uint32 = 0, 1, 0, 1
	var flat []api.ValueType
	for _, c := range cases {
		if c.layout == nil {
			continue
		}
		l.holds(c.layout)
		size, align = max(size, c.size), max(align, c.align)
		wideSize, wideAlign = max(wideSize, c.wide.size), max(wideAlign, c.wide.align)
		flat = join(flat, c.flat)
	}
	l.payload = alignTo(l.disc, align)
	l.align, l.wide.align = max(l.disc, align), max(l.disc, wideAlign)
	l.size = alignTo(l.payload+size, l.align)
	l.wide.size = alignTo(alignTo(l.disc, wideAlign)+wideSize, l.wide.align)
	l.flat = append([]api.ValueType{api.ValueTypeI32}, flat...)
	l.flat = l.flat[:min(len(l.flat), maxFlatParams+1)]
	l.cases = cases
	return l.wide.size <= maxSize
}

// join is the core values that hold either a or b; it changes a.
func join(a, b []api.ValueType) []api.ValueType {
	for i, t := range b {
		switch {
		case i >= len(a):
			a = append(a, t)
		case a[i] == t:
		case a[i] == api.ValueTypeI32 && t == api.ValueTypeF32, a[i] == api.ValueTypeF32 && t == api.ValueTypeI32:
			a[i] = api.ValueTypeI32
		default:
			a[i] = api.ValueTypeI64
		}
	}
	return a
}

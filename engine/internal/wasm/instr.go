package wasm

// Instr is one instruction of a body.
type Instr struct {
	Op Op
	// Pos, Imm and End are where it, and what follows its opcode, begin in the code, and
	// where it ends.
	Pos, Imm, End int
	// Index is a local, global, function, label, or the first index of others: of the
	// data or element segment, the type of an indirect call, the table, the alignment of
	// a memory access.
	Index uint32
	// Index2 is the second one: the table of an indirect call or of an element segment,
	// the source of a copy, the offset of a memory access.
	Index2 uint32
	Block  FuncType    // of a block, loop, if
	Labels []uint32    // of br_table, the default one last; valid until the next
	Types  []ValueType // of a typed select; likewise
	Ref    ValueType   // of ref.null
}

// Instrs goes through the code of a function.
type Instrs struct {
	r      reader
	m      *Module
	f      Features
	labels []uint32
	types  []ValueType
}

// Instrs goes through the code of b, a body of m.
func (b *Body) Instrs(m *Module) *Instrs {
	return &Instrs{r: reader{b: b.Code, base: b.Offset}, m: m, f: Features{TailCalls: true}}
}

// Next reads the next instruction, and false at the end of the code.
func (s *Instrs) Next() (Instr, bool) {
	if !s.r.more() {
		return Instr{}, false
	}
	i := s.next()
	return i, s.r.err == nil
}

// next reads an instruction. Indices of labels and locals are as they stand there; all
// others are in range.
func (s *Instrs) next() Instr {
	i := Instr{Pos: s.r.pos}
	about := s.op(&i)
	if about == nil {
		return i
	}
	i.Imm = s.r.pos
	if len(about.imm) > 0 {
		i.Index = s.immediate(about.imm[0], about, &i)
	}
	if len(about.imm) > 1 {
		second := s.immediate(about.imm[1], about, &i)
		if about.imm[0] != immMem { // a lane stands nowhere
			i.Index2 = second
		}
	}
	i.End = s.r.pos
	return i
}

func (s *Instrs) op(i *Instr) *info {
	r := &s.r
	i.Op = Op(r.byte())
	if i.Op == prefixMisc || i.Op == prefixSIMD || i.Op == prefixAtomic {
		sub := r.u32()
		if r.err == nil && sub > 0xff {
			r.failAt(i.Pos, "instruction %#x %d is not known", byte(i.Op), sub)
		}
		i.Op = i.Op<<8 | Op(sub&0xff)
	}
	about := lookup(i.Op)
	switch {
	case r.err != nil:
		return nil
	case about == nil && i.Op>>8 == prefixAtomic:
		r.failAt(i.Pos, "instruction %s is not known: threads are not supported", i.Op)
	case about == nil:
		r.failAt(i.Pos, "instruction %s is not known", i.Op)
	case (i.Op == OpReturnCall || i.Op == OpReturnCallIn) && !s.f.TailCalls:
		r.failAt(i.Pos, "tail calls are not supported")
	}
	if r.err != nil {
		return nil
	}
	return about
}

func (s *Instrs) immediate(kind immediate, about *info, i *Instr) uint32 {
	r, m := &s.r, s.m
	switch kind {
	case immBlock:
		i.Block = s.blockType()
	case immLabel, immLocal:
		return r.u32()
	case immLabels:
		i.Labels = s.readLabels()
	case immFunc:
		return s.index("function", len(m.Funcs))
	case immIndirect:
		t := s.index("type", len(m.Types))
		i.Index2 = s.index("table", len(m.Tables))
		return t
	case immGlobal:
		return s.index("global", len(m.Globals))
	case immTable:
		return s.index("table", len(m.Tables))
	case immMemory:
		s.memory()
	case immData, immElem:
		return s.segment(kind)
	case immMem:
		align, offset := s.access(about)
		i.Index2 = offset
		return align
	case immLane:
		at := r.pos
		lane := r.byte()
		if lane >= about.lanes {
			r.failAt(at, "lane %d of %d", lane, about.lanes)
		}
	case immI32:
		r.signed(32)
	case immI64:
		r.signed(64)
	case immF32:
		r.take(4)
	case immF64:
		r.take(8)
	case immV128:
		r.take(16)
	case immShuffle:
		at := r.pos
		for _, lane := range r.take(16) {
			if lane >= 32 {
				r.failAt(at, "lane %d of 32", lane)
			}
		}
	case immTypes:
		s.types = s.types[:0]
		for range r.count("types of a select", 1, 1) {
			s.types = append(s.types, r.valueType())
		}
		i.Types = s.types
	case immRef:
		i.Ref = r.refType()
	}
	return 0
}

func (s *Instrs) index(what string, have int) uint32 {
	at := s.r.pos
	i := s.r.u32()
	if s.r.err == nil && int64(i) >= int64(have) {
		s.r.failAt(at, "%s %d is not there: there are %d", what, i, have)
		return 0
	}
	return i
}

func (s *Instrs) memory() {
	at := s.r.pos
	i := s.r.byte()
	if s.r.err == nil && int(i) >= len(s.m.Memories) {
		s.r.failAt(at, "memory %d is not there: there are %d", i, len(s.m.Memories))
	}
}

// segment reads the index of a segment. Those of data come after the code: their number
// is announced before it.
func (s *Instrs) segment(kind immediate) uint32 {
	if kind == immElem {
		return s.index("element segment", len(s.m.Elems))
	}
	if s.r.err == nil && !s.m.HasDataCount {
		s.r.fail("data segments are named, and no data count section is there")
	}
	return s.index("data segment", s.m.dataCount)
}

// access reads alignment and offset of a memory access.
func (s *Instrs) access(about *info) (align, offset uint32) {
	at := s.r.pos
	align, offset = s.r.u32(), s.r.u32()
	switch {
	case s.r.err != nil:
	case align > about.align:
		s.r.failAt(at, "%s: alignment %d, at most %d", about.name, align, about.align)
	case len(s.m.Memories) == 0:
		s.r.failAt(at, "%s: there is no memory", about.name)
	}
	return align, offset
}

func (s *Instrs) readLabels() []uint32 {
	n := s.r.count("labels", s.r.left(), 1)
	s.labels = s.labels[:0]
	for range n + 1 { // the default one is not counted
		if s.r.err != nil {
			break
		}
		s.labels = append(s.labels, s.r.u32())
	}
	return s.labels
}

// one has a list of each type alone.
var one = map[ValueType][]ValueType{I32: {I32}, I64: {I64}, F32: {F32}, F64: {F64}, V128: {V128}, FuncRef: {FuncRef}, ExternRef: {ExternRef}}

func (s *Instrs) blockType() FuncType {
	const empty = -0x40
	at := s.r.pos
	v := s.r.signed(33)
	switch {
	case s.r.err != nil || v == empty:
		return FuncType{}
	case v >= 0 && v < int64(len(s.m.Types)):
		return s.m.Types[v]
	case v >= 0:
		s.r.failAt(at, "type %d is not there: there are %d", v, len(s.m.Types))
	case v >= -0x40 && one[ValueType(v&0x7f)] != nil:
		return FuncType{Results: one[ValueType(v&0x7f)]}
	default:
		s.r.failAt(at, "block type %d is not known", v)
	}
	return FuncType{}
}

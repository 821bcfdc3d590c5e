package wasm

// validator checks function bodies: the algorithm of appendix A.3.
type validator struct {
	Instrs

	caps     Caps
	declared map[uint32]bool

	typ    FuncType
	locals []LocalRun // with parameters; Count is how many end there
	stack  []ValueType
	high   int // of the stack
	frames []frame
	work   int // operands looked at, against budget
	budget int
	seen   []int // by frame: the br_table that has looked at it last
	tables int
}

// frame is a block that is open.
type frame struct {
	op          Op // OpEnd for the function itself
	typ         FuncType
	height      int // of the operands at its begin
	unreachable bool
}

// label is what a branch to f brings along.
func (f *frame) label() []ValueType {
	if f.op == OpLoop {
		return f.typ.Params
	}
	return f.typ.Results
}

func newValidator(d *decoder) *validator {
	d.m.dataCount = int(d.data)
	return &validator{Instrs: Instrs{m: d.m, f: d.f}, caps: d.caps, declared: d.declared}
}

// body checks one function of the given type. The error is in v.r.err.
func (v *validator) body(r reader, typ uint32) Body {
	v.r, v.typ = r, v.m.Types[typ]
	v.stack, v.frames = v.stack[:0], v.frames[:0]
	b := Body{Locals: v.readLocals()}
	b.Code, b.Offset = r.b[v.r.pos:], r.base+v.r.pos
	// Types of calls and blocks can have a thousand operands and cost two bytes: what
	// is looked at is bounded by the length, at many times what compilers emit.
	v.high, v.work, v.budget = 0, 0, 4096+256*len(b.Code)
	v.r = reader{b: b.Code, base: b.Offset, fn: r.fn, err: v.r.err}
	v.open(OpEnd, FuncType{Results: v.typ.Results})
	for len(v.frames) > 0 && v.r.err == nil {
		if !v.r.more() {
			v.r.fail("the code ends with %d blocks open", len(v.frames))
			break
		}
		in := v.next()
		v.m.NamesData = v.m.NamesData || in.Op == OpMemoryInit || in.Op == OpDataDrop
		v.instr(in)
		if v.r.err != nil && lookup(in.Op) != nil {
			v.r.err.Instr = in.Op.String()
		}
	}
	if v.r.more() {
		v.r.fail("code after the end of the function")
	}
	b.Operands = v.high
	return b
}

func (v *validator) readLocals() []LocalRun {
	r := &v.r
	v.locals = v.locals[:0]
	total := uint32(0)
	for _, t := range v.typ.Params {
		total++
		v.locals = append(v.locals, LocalRun{total, t})
	}
	n := r.count("kinds of locals", v.caps.Locals, 2)
	out := make([]LocalRun, 0, n)
	for range n {
		at := r.pos
		run := LocalRun{Count: r.u32()}
		run.Type = r.valueType()
		if r.err == nil && int64(total)+int64(run.Count) > int64(v.caps.Locals) {
			r.failAt(at, "more than %d locals", v.caps.Locals)
		}
		if r.err != nil {
			return nil
		}
		total += run.Count
		out = append(out, run)
		v.locals = append(v.locals, LocalRun{total, run.Type})
	}
	return out
}

// local returns the type of a local.
func (v *validator) local(at int, i uint32) ValueType {
	if n := uint32(len(v.typ.Params)); i < n {
		return v.typ.Params[i]
	}
	lo, hi := 0, len(v.locals)
	for lo < hi {
		if mid := (lo + hi) / 2; v.locals[mid].Count > i {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(v.locals) {
		v.r.failAt(at, "local %d is not there", i)
		return unknown
	}
	return v.locals[lo].Type
}

func (v *validator) push(t ValueType) {
	if len(v.stack) >= v.caps.Operands {
		v.r.fail("more than %d operands on the stack", v.caps.Operands)
		return
	}
	v.stack = append(v.stack, t)
	v.high = max(v.high, len(v.stack))
}

func (v *validator) pushAll(types []ValueType) {
	v.spend(len(types))
	for _, t := range types {
		v.push(t)
	}
}

// spend counts operands that are looked at.
func (v *validator) spend(n int) {
	if v.work += n; v.work > v.budget {
		v.r.fail("the function is too complex for its length")
	}
}

// pop takes an operand of type want; unknown: of any.
func (v *validator) pop(at int, want ValueType) ValueType {
	if v.r.err != nil {
		return unknown
	}
	top := &v.frames[len(v.frames)-1]
	if len(v.stack) == top.height {
		if !top.unreachable {
			v.r.failAt(at, "an operand is missing: %s", want)
		}
		return unknown
	}
	t := v.stack[len(v.stack)-1]
	v.stack = v.stack[:len(v.stack)-1]
	if t != want && t != unknown && want != unknown {
		v.r.failAt(at, "an operand is %s, %s is needed", t, want)
	}
	return t
}

func (v *validator) popAll(at int, types []ValueType) {
	v.spend(len(types))
	for i := len(types) - 1; i >= 0 && v.r.err == nil; i-- {
		v.pop(at, types[i])
	}
}

func (v *validator) open(op Op, t FuncType) {
	if len(v.frames) >= v.caps.Nesting {
		v.r.fail("more than %d blocks within each other", v.caps.Nesting)
		return
	}
	v.frames = append(v.frames, frame{op: op, typ: t, height: len(v.stack)})
	v.pushAll(t.Params)
}

// close ends the innermost block.
func (v *validator) close(at int) frame {
	f := v.frames[len(v.frames)-1]
	v.popAll(at, f.typ.Results)
	if v.r.err == nil && len(v.stack) != f.height {
		v.r.failAt(at, "%d operands are left over at the end of a block", len(v.stack)-f.height)
	}
	v.frames = v.frames[:len(v.frames)-1]
	return f
}

func (v *validator) unreachable() {
	f := &v.frames[len(v.frames)-1]
	v.stack, f.unreachable = v.stack[:f.height], true
}

// target returns the block that a branch ends, or begins anew.
func (v *validator) target(at int, label uint32) *frame {
	if int64(label) >= int64(len(v.frames)) {
		v.r.failAt(at, "label %d is not there: %d blocks are open", label, len(v.frames))
		return &v.frames[0]
	}
	return &v.frames[len(v.frames)-1-int(label)]
}

func (v *validator) instr(i Instr) {
	if v.r.err != nil {
		return
	}
	if about := lookup(i.Op); about.fixed {
		v.popAll(i.Pos, about.params)
		v.pushAll(about.results)
		return
	}
	switch i.Op {
	case OpBlock, OpLoop, OpIf, OpElse, OpEnd, OpBr, OpBrIf, OpBrTable, OpReturn, OpUnreachable:
		v.control(i)
	case OpCall, OpCallIndirect, OpReturnCall, OpReturnCallIn:
		v.call(i)
	case OpDrop:
		v.pop(i.Pos, unknown)
	case OpSelect, OpSelectTyped:
		v.selection(i)
	default:
		v.variable(i)
	}
}

func (v *validator) control(i Instr) {
	switch i.Op {
	case OpIf:
		v.pop(i.Pos, I32)
		fallthrough
	case OpBlock, OpLoop:
		v.popAll(i.Pos, i.Block.Params)
		v.open(i.Op, i.Block)
	case OpElse:
		f := v.close(i.Pos)
		if f.op != OpIf {
			v.r.failAt(i.Pos, "else without if")
		}
		v.open(OpElse, f.typ)
	case OpEnd:
		f := v.close(i.Pos)
		if f.op == OpIf && !(FuncType{f.typ.Params, f.typ.Params}).Equal(f.typ) {
			v.r.failAt(i.Pos, "an if without else gives what it has not got")
		}
		if len(v.frames) > 0 {
			v.pushAll(f.typ.Results)
		}
	case OpBr:
		v.popAll(i.Pos, v.target(i.Pos, i.Index).label())
		v.unreachable()
	case OpBrIf:
		v.pop(i.Pos, I32)
		t := v.target(i.Pos, i.Index).label()
		v.popAll(i.Pos, t)
		v.pushAll(t)
	case OpBrTable:
		v.branchTable(i)
	case OpReturn:
		v.popAll(i.Pos, v.typ.Results)
		v.unreachable()
	case OpUnreachable:
		v.unreachable()
	}
}

func (v *validator) branchTable(i Instr) {
	v.pop(i.Pos, I32)
	last := v.target(i.Pos, i.Labels[len(i.Labels)-1]).label()
	v.tables++
	for len(v.seen) < len(v.frames) {
		v.seen = append(v.seen, 0)
	}
	for _, l := range i.Labels {
		f := v.target(i.Pos, l)
		if v.r.err != nil {
			return
		}
		at := len(v.frames) - 1 - int(l)
		if v.seen[at] == v.tables {
			continue
		}
		v.seen[at] = v.tables
		if t := f.label(); len(t) != len(last) {
			v.r.failAt(i.Pos, "the labels of a br_table take %d and %d operands", len(t), len(last))
		} else {
			v.popPush(i.Pos, t)
		}
	}
	v.popAll(i.Pos, last)
	v.unreachable()
}

// popPush looks whether types are on the stack, and leaves it as it is.
func (v *validator) popPush(at int, types []ValueType) {
	v.spend(len(types))
	f := &v.frames[len(v.frames)-1]
	for i, k := len(types)-1, len(v.stack)-1; i >= 0; i, k = i-1, k-1 {
		switch {
		case k < f.height && f.unreachable:
			return
		case k < f.height:
			v.r.failAt(at, "an operand is missing: %s", types[i])
			return
		case v.stack[k] != types[i] && v.stack[k] != unknown:
			v.r.failAt(at, "an operand is %s, %s is needed", v.stack[k], types[i])
			return
		}
	}
}

func (v *validator) call(i Instr) {
	var t FuncType
	if i.Op == OpCallIndirect || i.Op == OpReturnCallIn {
		if v.m.Tables[i.Index2].Elem != FuncRef {
			v.r.failAt(i.Pos, "table %d holds no functions", i.Index2)
		}
		v.pop(i.Pos, I32)
		t = v.m.Types[i.Index]
	} else {
		t = v.m.FuncType(i.Index)
	}
	v.popAll(i.Pos, t.Params)
	if i.Op == OpReturnCall || i.Op == OpReturnCallIn {
		if !(FuncType{Results: t.Results}).Equal(FuncType{Results: v.typ.Results}) {
			v.r.failAt(i.Pos, "a tail call gives other results than its function")
		}
		v.unreachable()
		return
	}
	v.pushAll(t.Results)
}

func (v *validator) selection(i Instr) {
	v.pop(i.Pos, I32)
	if i.Op == OpSelectTyped {
		if len(i.Types) != 1 {
			v.r.failAt(i.Pos, "a select of %d types", len(i.Types))
			return
		}
		v.pop(i.Pos, i.Types[0])
		v.pop(i.Pos, i.Types[0])
		v.push(i.Types[0])
		return
	}
	a := v.pop(i.Pos, unknown)
	b := v.pop(i.Pos, a)
	if a == unknown {
		a = b
	}
	if a.Ref() {
		v.r.failAt(i.Pos, "a select of references does not name their type")
	}
	v.push(a)
}

func (v *validator) variable(i Instr) {
	at := i.Pos
	switch i.Op {
	case OpLocalGet:
		v.push(v.local(at, i.Index))
	case OpLocalSet:
		v.pop(at, v.local(at, i.Index))
	case OpLocalTee:
		t := v.local(at, i.Index)
		v.pop(at, t)
		v.push(t)
	case OpGlobalGet:
		v.push(v.m.Globals[i.Index].Type)
	case OpGlobalSet:
		g := v.m.Globals[i.Index]
		if !g.Mutable {
			v.r.failAt(at, "global %d is set, and cannot change", i.Index)
		}
		v.pop(at, g.Type)
	case OpTableGet:
		v.pop(at, I32)
		v.push(v.m.Tables[i.Index].Elem)
	case OpTableSet:
		v.pop(at, v.m.Tables[i.Index].Elem)
		v.pop(at, I32)
	case OpTableGrow:
		v.pop(at, I32)
		v.pop(at, v.m.Tables[i.Index].Elem)
		v.push(I32)
	case OpTableFill:
		v.pop(at, I32)
		v.pop(at, v.m.Tables[i.Index].Elem)
		v.pop(at, I32)
	case OpTableInit, OpTableCopy:
		v.tableTypes(i)
	case OpRefNull:
		v.push(i.Ref)
	case OpRefIsNull:
		if t := v.pop(at, unknown); t != unknown && !t.Ref() {
			v.r.failAt(at, "an operand is %s, a reference is needed", t)
		}
		v.push(I32)
	case OpRefFunc:
		if !v.declared[i.Index] {
			v.r.failAt(at, "function %d is referred to, and nothing outside of the code names it", i.Index)
		}
		v.push(FuncRef)
	default:
		v.r.failAt(at, "instruction %s is not known", i.Op)
	}
}

// tableTypes checks what is copied to a table.
func (v *validator) tableTypes(i Instr) {
	v.popAll(i.Pos, []ValueType{I32, I32, I32})
	var from, to ValueType
	if i.Op == OpTableInit {
		from, to = v.m.Elems[i.Index].Type, v.m.Tables[i.Index2].Elem
	} else {
		to, from = v.m.Tables[i.Index].Elem, v.m.Tables[i.Index2].Elem
	}
	if from != to {
		v.r.failAt(i.Pos, "elements of type %s for a table of %s", from, to)
	}
}

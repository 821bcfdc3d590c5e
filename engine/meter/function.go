package meter

import "github.com/realm-mesh/realm/engine/internal/wasm"

// code writes all bodies.
func (x *module) code() (out []byte) {
	for i := range x.Bodies {
		b := x.body(i)
		out = append(u32(out, uint32(len(b))), b...)
	}
	if x.bulk {
		for _, b := range [][]byte{x.fillBody(), x.copyBody()} {
			out = append(u32(out, uint32(len(b))), b...)
		}
	}
	return out
}

// function is one function that is being rewritten, basic block by basic block: the cost
// of a block is known at its end, and taken off at its begin.
type function struct {
	*module
	of    *wasm.Body
	facts facts

	local uint32 // that holds the fuel, if cached
	left  uint32 // the local that holds what is left of the stack, if it is nested
	spare uint32 // a local for lengths
	frame int64  // bytes that a call of it takes on the stack, about

	out   code // blocks that are finished
	block code // the one that is not
	cost  int64
	check bool // at its begin
	entry bool // it is the first, and there has to be room for the frame
	open  []block
	seen  int // blocks, in their order
	dead  int // how many blocks were opened in code that is never reached, plus one; 0: it is reached
}

// block is a block of the original that is open.
type block struct {
	op     wasm.Op
	target bool // of a branch
	split  bool // a loop that became two
}

// Bytes of a frame besides values: return address, saved registers, and what the runtime
// needs for a call.
const frameBytes = 96

// metered is body i with meters.
func (x *module) metered(i int) []byte {
	b := &x.Bodies[i]
	t := x.Types[x.Funcs[int(x.refill)+i]]
	f := function{module: x, of: b, facts: x.look(b), open: []block{{op: wasm.OpEnd}}, seen: 1}
	locals, wide := uint32(len(t.Params)), 0
	for _, p := range t.Params {
		wide += wideness(p)
	}
	for _, l := range b.Locals {
		locals += l.Count
		wide += int(l.Count) * wideness(l.Type)
	}
	f.frame = frameBytes + 8*int64(int(locals)+wide+b.Operands)
	runs := len(b.Locals)
	var added code
	if f.facts.cached {
		f.local = locals
		locals, runs = locals+1, runs+1
		added.op(1, byte(wasm.I64))
	}
	if f.facts.nested {
		f.left = locals
		locals, runs = locals+1, runs+1
		added.op(1, byte(wasm.I64))
	}
	if f.facts.lengths {
		f.spare = locals
		runs++
		added.op(1, byte(wasm.I32))
	}
	head := code(u32(make([]byte, 0, 8+6*runs), uint32(runs)))
	for _, l := range b.Locals {
		head = append(u32(head, l.Count), byte(l.Type))
	}
	head = append(head, added...)
	f.out = make(code, 0, len(head)+len(b.Code)*3/2)
	f.out = append(f.out, head...)
	f.rewrite(t.Results)
	return f.out
}

// wrapped reports whether something is to be done when the function returns: then its
// code becomes a block that all returns lead out of.
func (f *function) wrapped() bool { return f.facts.cached || f.facts.nested }

func wideness(t wasm.ValueType) int {
	if t == wasm.V128 {
		return 1 // more than others
	}
	return 0
}

func (f *function) rewrite(results []wasm.ValueType) {
	f.load(&f.out)
	if f.facts.nested {
		f.enter()
	}
	if f.wrapped() {
		f.out.op(opBlock)
		f.out = append(f.out, f.blockType(results)...)
	}
	f.check, f.entry = f.facts.cached || f.facts.calls, f.facts.nested
	for s := f.of.Instrs(f.Module); ; {
		in, ok := s.Next()
		if !ok {
			break
		}
		if f.dead > 0 && !f.revives(in.Op) {
			continue
		}
		f.instr(in)
	}
	f.finish()
}

// revives follows the blocks of code that is never reached, which is left out. It reports
// whether in ends it.
func (f *function) revives(op wasm.Op) bool {
	switch op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		f.dead++
		f.seen++
	case wasm.OpElse:
		return f.dead == 1
	case wasm.OpEnd:
		if f.dead == 1 {
			return true
		}
		f.dead--
	}
	return false
}

// raw copies an instruction of the original.
func (f *function) raw(in wasm.Instr) {
	f.block.opcode(in.Op)
	f.block.op(f.of.Code[in.Imm:in.End]...)
}

// finish ends the basic block.
func (f *function) finish() {
	if f.cost > 0 {
		f.take(&f.out, f.cost)
	}
	if f.check {
		f.ask(&f.out)
	}
	f.out = append(f.out, f.block...)
	f.block, f.cost, f.check, f.entry = f.block[:0], 0, false, false
}

// get and set write how the fuel is read, and written.
func (f *function) get(c *code) {
	if f.facts.cached {
		c.with(opLocalGet, f.local)
	} else {
		c.with(opGlobalGet, f.fuel)
	}
}

func (f *function) set(c *code) {
	if f.facts.cached {
		c.with(opLocalSet, f.local)
	} else {
		c.with(opGlobalSet, f.fuel)
	}
}

// take writes that fuel is taken off.
func (f *function) take(c *code, n int64) {
	f.get(c)
	c.i64(n)
	c.op(opI64Sub)
	f.set(c)
}

// negative writes whether the slice is used up.
func (f *function) negative(c *code) {
	f.get(c)
	c.i64(0)
	c.op(opI64LtS)
}

// ask writes that the host is asked to go on when the slice is used up. At the entry of a
// function that is also where no room is left for its frame: one branch for both, as
// either is rare.
func (f *function) ask(c *code) {
	if f.entry {
		f.get(c)
		c.with(opLocalGet, f.left)
		c.op(opI64Or)
		c.i64(0)
		c.op(opI64LtS, opIf, noType)
		f.overflow(c)
	} else {
		f.negative(c)
		c.op(opIf, noType)
	}
	f.get(c)
	c.with(opCall, f.refill)
	f.set(c)
	c.op(opEnd)
}

// spill and load keep the global right where others look at it.
func (f *function) spill() {
	if f.facts.cached {
		f.block.with(opLocalGet, f.local)
		f.block.with(opGlobalSet, f.fuel)
	}
}

func (f *function) load(c *code) {
	if f.facts.cached {
		c.with(opGlobalGet, f.fuel)
		c.with(opLocalSet, f.local)
	}
}

// cost is what an instruction takes, as in wasmtime.
func cost(op wasm.Op) int64 {
	switch op {
	case wasm.OpUnreachable, wasm.OpNop, wasm.OpBlock, wasm.OpLoop, wasm.OpElse, wasm.OpEnd, wasm.OpReturn, wasm.OpDrop:
		return 0
	}
	return 1
}

func (f *function) instr(in wasm.Instr) {
	f.cost += cost(in.Op)
	switch in.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		f.begin(in)
	case wasm.OpElse:
		f.block.op(opElse)
		f.finish()
		f.open[len(f.open)-1].op, f.dead = wasm.OpElse, 0
	case wasm.OpEnd:
		f.end()
	case wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable, wasm.OpReturn, wasm.OpUnreachable:
		f.branch(in)
	case wasm.OpCall, wasm.OpCallIndirect, wasm.OpReturnCall, wasm.OpReturnCallIn:
		f.call(in)
	case wasm.OpRefFunc:
		// wazero makes a new reference whenever it is asked for one, and keeps all.
		f.block = s64(append(f.block, opI32Const), int64(f.slot(in.Index)))
		f.block.with(opTableGet, f.refs)
	case wasm.OpMemoryFill:
		f.helper(f.fill)
	case wasm.OpMemoryCopy:
		f.helper(f.copy)
	case wasm.OpMemoryGrow:
		f.length(0, pageShift)
		f.raw(in)
	case wasm.OpMemoryInit:
		f.length(bytesShift, 0)
		f.raw(in)
	case wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableFill:
		f.length(0, 0)
		f.raw(in)
	case wasm.OpTableGrow:
		f.growTable(in)
	default:
		f.raw(in)
	}
}

package meter

import (
	"slices"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

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

// facts are what has to be known of a function before it is rewritten.
type facts struct {
	cached  bool // it loops: fuel is kept in a local
	calls   bool
	nested  bool   // what it calls may call on: its frame counts
	lengths bool   // it has instructions whose cost depends on a length
	targets []bool // by block in their order, the function first: branches lead there
}

// look gathers the facts of b.
func (x *module) look(b *wasm.Body) (f facts) {
	open := []int{0}
	f.targets = []bool{false}
	var loops []int
	target := func(l uint32) { f.targets[open[len(open)-1-int(l)]] = true }
	for s := b.Instrs(x.Module); ; {
		in, ok := s.Next()
		if !ok {
			break
		}
		switch in.Op {
		case wasm.OpLoop:
			loops = append(loops, len(f.targets))
			fallthrough
		case wasm.OpBlock, wasm.OpIf:
			open = append(open, len(f.targets))
			f.targets = append(f.targets, false)
		case wasm.OpEnd:
			open = open[:len(open)-1]
		case wasm.OpBr, wasm.OpBrIf:
			target(in.Index)
		case wasm.OpBrTable:
			for _, l := range in.Labels {
				target(l)
			}
		case wasm.OpCall, wasm.OpCallIndirect:
			f.calls = true
			f.nested = f.nested || x.stack > 0 && (in.Op != wasm.OpCall || in.Index >= x.refill) // hosts have their own stack
		case wasm.OpReturnCall, wasm.OpReturnCallIn:
			f.calls = true
		case wasm.OpMemoryFill, wasm.OpMemoryCopy:
			f.calls, x.bulk = true, true
		case wasm.OpMemoryGrow, wasm.OpMemoryInit, wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableGrow, wasm.OpTableFill:
			f.lengths = true
		}
	}
	f.cached = slices.ContainsFunc(loops, func(i int) bool { return f.targets[i] })
	return f
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
	f.check = f.facts.cached || f.facts.calls
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
	f.block, f.cost, f.check = f.block[:0], 0, false
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

// ask writes that the host is asked to go on when the slice is used up.
func (f *function) ask(c *code) {
	f.negative(c)
	c.op(opIf, noType)
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
		f.block.with(opRefFunc, f.moved(in.Index))
	case wasm.OpMemoryFill:
		f.helper(f.fill)
	case wasm.OpMemoryCopy:
		f.helper(f.copy)
	case wasm.OpMemoryGrow:
		f.length(in, 0, pageShift)
	case wasm.OpMemoryInit:
		f.length(in, bytesShift, 0)
	case wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableGrow, wasm.OpTableFill:
		f.length(in, 0, 0)
	default:
		f.raw(in)
	}
}

// begin opens a block. A loop that branches lead back to becomes two: the host is asked
// in the outer one, and branches go there when the slice is used up.
func (f *function) begin(in wasm.Instr) {
	b := block{op: in.Op, target: f.facts.targets[f.seen]}
	f.seen++
	f.raw(in)
	switch {
	case in.Op == wasm.OpIf:
		f.finish()
	case in.Op == wasm.OpLoop && b.target && len(in.Block.Params) == 0:
		f.finish()
		b.split = true
		f.ask(&f.out)
		f.out.opcode(in.Op)
		f.out.op(f.of.Code[in.Imm:in.End]...)
	case in.Op == wasm.OpLoop && b.target:
		f.finish()
		f.check = true
	}
	f.open = append(f.open, b)
}

// end closes a block. Where branches meet, a basic block begins.
func (f *function) end() {
	b := f.open[len(f.open)-1]
	f.open = f.open[:len(f.open)-1]
	f.block.op(opEnd)
	if len(f.open) == 0 && f.wrapped() {
		f.leave()
		f.block.op(opEnd)
	}
	if b.split {
		f.block.op(opEnd)
	}
	if f.dead > 0 || b.op == wasm.OpIf || b.op == wasm.OpElse || b.target && b.op != wasm.OpLoop {
		f.finish()
	}
	f.dead = 0
}

// depth is the label, in what is written, of the inner loop or block that label is in
// the original.
func (f *function) depth(label uint32) (depth uint32, to block) {
	k := len(f.open) - 1 - int(label)
	depth = label
	for _, b := range f.open[k+1:] {
		if b.split {
			depth++
		}
	}
	return depth, f.open[k]
}

func (f *function) branch(in wasm.Instr) {
	switch in.Op {
	case wasm.OpBr:
		f.jump(in.Index)
	case wasm.OpBrIf:
		f.jumpIf(in.Index)
	case wasm.OpBrTable:
		f.jumpTable(in.Labels)
	case wasm.OpReturn:
		f.jump(uint32(len(f.open) - 1))
	default:
		f.spill() // so that what was used is known
		f.raw(in)
	}
	f.finish()
	if in.Op != wasm.OpBrIf {
		f.dead = 1
	}
}

func (f *function) jump(label uint32) {
	d, to := f.depth(label)
	if to.split {
		f.negative(&f.block)
		f.block.with(opBrIf, d+1)
	}
	f.block.with(opBr, d)
}

func (f *function) jumpIf(label uint32) {
	d, to := f.depth(label)
	if !to.split {
		f.block.with(opBrIf, d)
		return
	}
	f.block.op(opIf, noType)
	f.negative(&f.block)
	f.block.with(opBrIf, d+2)
	f.block.with(opBr, d+1)
	f.block.op(opEnd)
}

// jumpTable leads to the outer of two loops: it asks only when it has to.
func (f *function) jumpTable(labels []uint32) {
	f.block.with(opBrTable, uint32(len(labels)-1))
	for _, l := range labels {
		d, to := f.depth(l)
		if to.split {
			d++
		}
		f.block = u32(f.block, d)
	}
}

// call writes a call, with the fuel where the callee finds it.
func (f *function) call(in wasm.Instr) {
	tail := in.Op == wasm.OpReturnCall || in.Op == wasm.OpReturnCallIn
	if tail {
		f.leave()
	} else {
		f.spill()
	}
	if in.Op == wasm.OpCall || in.Op == wasm.OpReturnCall {
		f.block.with(byte(in.Op), f.moved(in.Index))
	} else {
		f.raw(in)
	}
	if tail {
		f.finish()
		f.dead = 1
		return
	}
	f.load(&f.block)
}

// enter takes the frame of the function off what is left of the stack; when there is no
// room for it, the host does not return.
func (f *function) enter() {
	c := &f.out
	c.with(opGlobalGet, f.room)
	c.i64(f.frame)
	c.op(opI64Sub)
	c.with(opLocalTee, f.left)
	c.with(opGlobalSet, f.room)
	c.with(opLocalGet, f.left)
	c.i64(0)
	c.op(opI64LtS, opIf, noType)
	c.i64(stackSignal)
	c.with(opCall, f.refill)
	c.op(opDrop, opEnd)
}

// leave gives the frame back, and the fuel.
func (f *function) leave() {
	f.spill()
	if f.facts.nested {
		f.block.with(opLocalGet, f.left)
		f.block.i64(f.frame)
		f.block.op(opI64Add)
		f.block.with(opGlobalSet, f.room)
	}
}

// helper calls a function that does a bulk operation piece by piece.
func (f *function) helper(i uint32) {
	f.spill()
	f.block.with(opCall, i)
	f.load(&f.block)
}

// length takes off the cost of what is about to be done to as many things as the topmost
// operand says, and asks the host before it is done.
func (f *function) length(in wasm.Instr, right, left int64) {
	b := &f.block
	b.with(opLocalTee, f.spare)
	f.get(b)
	b.with(opLocalGet, f.spare)
	b.op(opI64ExtU)
	switch {
	case right > 0:
		b.i64(right)
		b.op(opI64ShrU)
	case left > 0:
		b.i64(left)
		b.op(opI64Shl)
	}
	b.op(opI64Sub)
	f.set(b)
	f.ask(b)
	f.raw(in)
}

package meter

import "github.com/realm-mesh/realm/engine/internal/wasm"

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

// enter takes the frame of the function off what is left of the stack.
func (f *function) enter() {
	c := &f.out
	c.with(opGlobalGet, f.room)
	c.i64(f.frame)
	c.op(opI64Sub)
	c.with(opLocalTee, f.left)
	c.with(opGlobalSet, f.room)
}

// overflow tells the host when there was none for the frame: it does not return then.
func (f *function) overflow(c *code) {
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
func (f *function) length(right, left int64) {
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
}

// growTable has the host say by how many elements a table grows: as many as it was to, or
// more than it can. When it did not, the host is told.
func (f *function) growTable(in wasm.Instr) {
	f.length(0, 0)
	b := &f.block
	b.op(opI64ExtU)
	b.i64(growSignal)
	b.op(opI64Add)
	b.with(opCall, f.refill)
	b.op(opI32Wrap)
	f.raw(in)
	b.with(opLocalTee, f.spare)
	*b = s64(append(*b, opI32Const), -1)
	b.op(opI32Eq, opIf, noType)
	b.i64(growFailedSignal)
	b.with(opCall, f.refill)
	b.op(opDrop, opEnd)
	b.with(opLocalGet, f.spare)
}

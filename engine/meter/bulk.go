package meter

// pieceBytes is how much memory is filled or copied before the host is asked again: less
// than a millisecond's work.
const pieceBytes = 1 << 20

// Parameters of the functions that replace memory.fill and memory.copy.
const (
	paramTo   = iota
	paramFrom // or the value
	paramLen
)

// piece writes the operation on paramLen bytes, or on one piece.
func piece(c *code, op byte, whole bool) {
	c.with(opLocalGet, paramTo)
	c.with(opLocalGet, paramFrom)
	if whole {
		c.with(opLocalGet, paramLen)
	} else {
		c.onePiece()
	}
	c.op(opMisc, op, 0)
	if op == opMemoryCopy {
		c.op(0)
	}
}

// Numbers after the prefix opMisc.
const (
	opMemoryCopy = 0x0a
	opMemoryFill = 0x0b
)

// charge writes that n bytes are paid, n being what c leaves on the stack, and the host
// is asked.
func (x *module) charge(c *code, bytes func()) {
	c.with(opGlobalGet, x.fuel)
	bytes()
	c.op(opI64ExtU)
	c.i64(bytesShift)
	c.op(opI64ShrU, opI64Sub)
	c.with(opGlobalSet, x.fuel)
	c.with(opGlobalGet, x.fuel)
	c.i64(0)
	c.op(opI64LtS, opIf, noType)
	c.with(opGlobalGet, x.fuel)
	c.with(opCall, x.refill)
	c.with(opGlobalSet, x.fuel)
	c.op(opEnd)
}

// outside writes whether the range that begins at a parameter leaves the memory: then the
// operation itself is to trap, before it has changed anything.
func outside(c *code, param uint32) {
	for i, p := range []uint32{param, paramLen} {
		c.with(opLocalGet, p)
		c.op(opI64ExtU)
		if i > 0 {
			c.op(opI64Add)
		}
	}
	c.op(opMemSize, 0, opI64ExtU)
	c.i64(16)
	c.op(opI64Shl, opI64GtU)
}

// last writes the last piece, or all where it is little or not possible.
func (x *module) last(c *code, op byte) {
	x.charge(c, func() { c.with(opLocalGet, paramLen) })
	piece(c, op, true)
}

// little writes a branch to label, where all is done at once, when all is one piece.
func little(c *code, label uint32) {
	c.with(opLocalGet, paramLen)
	c.onePiece()
	c.op(opI32LeU)
	c.with(opBrIf, label)
}

// part writes the operation on one piece. It begins where the parameters say.
func (x *module) part(c *code, op byte) {
	x.charge(c, func() { c.onePiece() })
	piece(c, op, false)
}

// step writes that pieceBytes are added to, or taken from, a parameter.
func step(c *code, op byte, param uint32) {
	c.with(opLocalGet, param)
	c.onePiece()
	c.op(op)
	c.with(opLocalSet, param)
}

// fillBody is (to, value, length): memory.fill in pieces, from the begin to the end.
func (x *module) fillBody() []byte {
	c := code{0} // no locals
	c.op(opBlock, noType)
	outside(&c, paramTo)
	c.with(opBrIf, 0)
	c.op(opLoop, noType)
	little(&c, 1)
	x.part(&c, opMemoryFill)
	step(&c, opI32Add, paramTo)
	step(&c, opI32Sub, paramLen)
	c.with(opBr, 0)
	c.op(opEnd, opEnd)
	x.last(&c, opMemoryFill)
	c.op(opEnd)
	return c
}

// copyBody is (to, from, length): memory.copy in pieces, from the begin or from the end,
// so that none is overwritten before it is copied.
func (x *module) copyBody() []byte {
	c := code{0} // no locals
	c.op(opBlock, noType)
	outside(&c, paramTo)
	c.with(opBrIf, 0)
	outside(&c, paramFrom)
	c.with(opBrIf, 0)
	c.with(opLocalGet, paramTo)
	c.with(opLocalGet, paramFrom)
	c.op(opI32LeU, opIf, noType, opLoop, noType)
	little(&c, 2)
	x.part(&c, opMemoryCopy)
	step(&c, opI32Add, paramTo)
	step(&c, opI32Add, paramFrom)
	step(&c, opI32Sub, paramLen)
	c.with(opBr, 0)
	c.op(opEnd, opElse, opLoop, noType)
	little(&c, 2)
	step(&c, opI32Sub, paramLen)
	x.charge(&c, func() { c.onePiece() })
	for _, p := range []uint32{paramTo, paramFrom} {
		c.with(opLocalGet, p)
		c.with(opLocalGet, paramLen)
		c.op(opI32Add)
	}
	c.onePiece()
	c.op(opMisc, opMemoryCopy, 0, 0)
	c.with(opBr, 0)
	c.op(opEnd, opEnd, opEnd)
	x.last(&c, opMemoryCopy)
	c.op(opEnd)
	return c
}

package wasm

// maxConst is the most operands on the stack of a constant expression.
const maxConst = 16

// constExpr reads a constant expression of type want (§3.3.10).
func (d *decoder) constExpr(want ValueType) Expr {
	start := d.pos
	var stack []ValueType
	push := func(t ValueType) {
		if len(stack) == maxConst {
			d.fail("a constant expression has more than %d operands", maxConst)
			return
		}
		stack = append(stack, t)
	}
	for d.err == nil {
		at := d.pos
		op := d.byte()
		switch op {
		case 0x0b:
			if d.err == nil && (len(stack) != 1 || stack[0] != want) {
				d.failAt(at, "a constant expression gives %v, %s is needed", stack, want)
			}
			return Expr{Code: d.b[start:d.pos:d.pos], Offset: d.base + start}
		case 0x41:
			d.signed(32)
			push(I32)
		case 0x42:
			d.signed(64)
			push(I64)
		case 0x43:
			d.take(4)
			push(F32)
		case 0x44:
			d.take(8)
			push(F64)
		case 0xfd:
			if sub := d.u32(); sub != 12 {
				d.failAt(at, "instruction 0xfd %d is none of a constant expression", sub)
			}
			d.take(16)
			push(V128)
		case 0xd0:
			push(d.refType())
		case 0xd2:
			f := d.index(ExternFunc)
			d.declared[f] = true
			push(FuncRef)
		case 0x23:
			push(d.constGlobal())
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub, mul
			t := I32
			if op >= 0x7c {
				t = I64
			}
			n := len(stack)
			switch {
			case !d.f.ExtendedConst:
				d.failAt(at, "instruction %#x is none of a constant expression", op)
			case n < 2 || stack[n-1] != t || stack[n-2] != t:
				d.failAt(at, "a constant expression needs two operands of type %s, and has %v", t, stack)
			default:
				stack = stack[:n-1]
			}
		default:
			d.failAt(at, "instruction %#x is none of a constant expression", op)
		}
	}
	return Expr{}
}

// constGlobal reads a global that a constant expression may refer to: one that is
// imported, and never changes.
func (d *decoder) constGlobal() ValueType {
	at := d.pos
	i := d.index(ExternGlobal)
	switch {
	case d.err != nil:
		return unknown
	case int(i) >= d.m.Imported[ExternGlobal]:
		d.failAt(at, "global %d is not imported: a constant expression cannot refer to it", i)
	case d.m.Globals[i].Mutable:
		d.failAt(at, "global %d can change: a constant expression cannot refer to it", i)
	}
	return d.m.Globals[i].Type
}

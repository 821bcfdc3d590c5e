package module

import "errors"

// readConst reads a constant expression.
func (m *Module) readConst(r *reader) {
	for r.err == nil {
		if m.readConstOp(r) {
			return
		}
	}
}

// readConstOp reads one instruction of a constant expression; true was its end.
func (m *Module) readConstOp(r *reader) (end bool) {
	switch op := r.byte(); op {
	case 0x0b: // end
		return true
	case 0x23: // global.get
		if g := r.u32(); int64(g) >= int64(m.globals) {
			r.failf("global %d does not exist", g)
		}
	case 0x41: // i32.const
		r.s32()
	case 0x42: // i64.const
		r.leb(64)
	case 0x43: // f32.const
		r.bytes(4)
	case 0x44: // f64.const
		r.bytes(8)
	case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub, mul
	case 0xd0: // ref.null
		checkValueType(r, r.byte())
	case 0xd2: // ref.func
		m.readFunctionRef(r)
	case 0xfd: // v128.const
		if r.u32() != 12 {
			r.fail(errors.New("a constant is computed by what may not compute one"))
		}
		r.bytes(16)
	default:
		if r.err == nil {
			r.failf("a constant is computed by instruction %#x", op)
		}
	}
	return false
}

func (m *Module) readFunctionRef(r *reader) {
	if f := r.u32(); int64(f) >= int64(len(m.funcs)) {
		r.failf("function %d does not exist", f)
	}
}

// readElement reads one element segment. The flag has three bits: not active,
// table index (or declared), expressions instead of indices.
func (m *Module) readElement(r *reader) {
	flag := r.u32()
	if flag > 7 {
		r.failf("an element segment of kind %d is not known here", flag)
		return
	}
	active, explicit, exprs := flag&1 == 0, flag&2 != 0, flag&4 != 0
	if active {
		table := uint32(0)
		if explicit {
			table = r.u32()
		}
		if int64(table) >= int64(m.tables) {
			r.failf("table %d does not exist", table)
		}
		m.readConst(r)
	}
	if !active || explicit {
		kind := r.byte() // a reference type before expressions, 0 before indices
		if !exprs && kind != 0 {
			r.fail(errors.New("an element segment is of no known kind"))
		}
		if exprs {
			checkValueType(r, kind)
		}
	}
	n := r.count("entries of an element segment", maxElementRef, 1)
	if m.refs += n; m.refs > maxElementRef {
		r.failf("more than %d entries in element segments", maxElementRef)
	}
	for range n {
		if exprs {
			m.readConst(r)
		} else {
			m.readFunctionRef(r)
		}
	}
}

// piece is one data segment. Its place is known where simple is true: active, in
// memory 0, at a constant offset.
type piece struct {
	simple bool
	offset uint32
	data   []byte
}

// readData reads the data section; ok is true if all pieces are simple.
func (m *Module) readData(r *reader) (pieces []piece, ok bool) {
	n := r.count("data segments", maxData, 2)
	pieces, ok = make([]piece, 0, n), true
	for range n {
		p := m.readPiece(r)
		if r.err != nil {
			return nil, false
		}
		ok = ok && p.simple
		pieces = append(pieces, p)
	}
	return pieces, ok
}

func (m *Module) readPiece(r *reader) piece {
	var p piece
	flag := r.u32()
	switch flag {
	case 0, 2:
		if flag == 2 && r.u32() != 0 || !m.Memory {
			r.fail(errors.New("data is for a memory that does not exist"))
		}
		start := r.at
		m.readConst(r)
		p.offset, p.simple = constOffset(r.b[min(start, r.at):r.at])
	case 1:
	default:
		r.failf("a data segment of kind %d is not known here", flag)
	}
	p.data = r.bytes(r.u32())
	return p
}

// constOffset reads an expression that is nothing but one i32.const.
func constOffset(expr []byte) (uint32, bool) {
	r := &reader{b: expr}
	if r.byte() != 0x41 {
		return 0, false
	}
	v := r.s32()
	return uint32(v), r.byte() == 0x0b && r.err == nil && r.left() == 0
}

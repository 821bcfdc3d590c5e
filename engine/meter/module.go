package meter

import (
	"encoding/binary"
	"slices"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// module is a module that is being instrumented: what it was, and where in it the
// additions are. Functions that it imports keep their index; refill comes after them, and
// moves those that it defines by one. All else is added at the end.
type module struct {
	*wasm.Module
	stack   int64
	imaged  bool   // active data are left out
	outside uint32 // functions below it have a stack of their own
	rename  func(i int) (module, name string)
	body    func(i int) []byte // writes one: [module.metered]

	refillType, fillType uint32
	refill               uint32 // function
	fuel, room           uint32 // globals: left of the slice, bytes left for frames
	fill, copy           uint32 // functions that do it piece by piece
	bulk                 bool   // they are used
	refs                 uint32 // table of the functions that code refers to
	referred             []uint32
	slots                map[uint32]int // of referred

	blocks []wasm.FuncType // types that are added, for blocks
}

func newModule(m *wasm.Module, o Options) *module {
	x := &module{Module: m, stack: o.stack(), rename: o.Rename}
	x.body = x.metered
	x.refillType = uint32(len(m.Types))
	x.fillType = x.refillType + 1
	x.refill = uint32(m.Imported[wasm.ExternFunc])
	if !o.Linked {
		x.outside = x.refill
	}
	x.fuel = uint32(len(m.Globals))
	x.room = x.fuel + 1
	x.fill = uint32(len(m.Funcs)) + 1
	x.copy = x.fill + 1
	x.refs = uint32(len(m.Tables))
	x.slots = map[uint32]int{}
	return x
}

// moved is the index that a function has now.
func (x *module) moved(i uint32) uint32 {
	if i >= x.refill {
		return i + 1
	}
	return i
}

// Sections, in their order (§5.5.2).
const (
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secDataCount = 12
	secCode      = 10
	secData      = 11
)

// encode writes the module. size is what it was before.
func (x *module) encode(size int) []byte {
	data := x.data()
	out := append(make([]byte, 0, size+size/2), "\x00asm\x01\x00\x00\x00"...)
	section := func(id byte, n int, body []byte) {
		if n == 0 {
			return
		}
		out = append(out, id)
		out = u32(out, uint32(len(u32(nil, uint32(n)))+len(body)))
		out = append(u32(out, uint32(n)), body...)
	}
	code := x.code() // it says whether fill and copy are needed, and which types
	section(secType, len(x.Types)+2+len(x.blocks), x.types())
	section(secImport, len(x.Imports)+1, x.imports())
	section(secFunction, x.bodies(), x.functions())
	section(secTable, len(x.Tables)-x.Imported[wasm.ExternTable]+x.more(), x.tables())
	section(secMemory, len(x.Memories)-x.Imported[wasm.ExternMemory], x.memories())
	section(secGlobal, len(x.Inits)+2, x.globals())
	section(secExport, len(x.Exports)+2, x.exports())
	if x.Start.Is {
		start := u32(nil, x.moved(x.Start.Func))
		out = append(append(append(out, secStart), byte(len(start))), start...)
	}
	section(secElement, len(x.Elems)+x.more(), x.elems())
	if x.NamesData {
		n := u32(nil, uint32(len(data)))
		out = append(append(append(out, secDataCount), byte(len(n))), n...)
	}
	section(secCode, x.bodies(), code)
	section(secData, len(data), x.dataSection(data))
	return out
}

func u32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }

func s64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func name(b []byte, s string) []byte { return append(u32(b, uint32(len(s))), s...) }

func (x *module) types() (b []byte) {
	i64, i32 := wasm.I64, wasm.I32
	for _, t := range x.Types {
		b = funcType(b, t)
	}
	b = funcType(b, wasm.FuncType{Params: []wasm.ValueType{i64}, Results: []wasm.ValueType{i64}})
	b = funcType(b, wasm.FuncType{Params: []wasm.ValueType{i32, i32, i32}})
	for _, t := range x.blocks {
		b = funcType(b, t)
	}
	return b
}

// blockType is how the type of a block is written that takes nothing and gives results.
func (x *module) blockType(results []wasm.ValueType) []byte {
	switch len(results) {
	case 0:
		return []byte{noType}
	case 1:
		return []byte{byte(results[0])}
	}
	t := wasm.FuncType{Results: results}
	i := slices.IndexFunc(x.blocks, t.Equal)
	if i < 0 {
		i = len(x.blocks)
		x.blocks = append(x.blocks, t)
	}
	return s64(nil, int64(x.fillType)+1+int64(i))
}

func funcType(b []byte, t wasm.FuncType) []byte {
	b = append(b, 0x60)
	for _, list := range [][]wasm.ValueType{t.Params, t.Results} {
		b = u32(b, uint32(len(list)))
		for _, v := range list {
			b = append(b, byte(v))
		}
	}
	return b
}

func (x *module) imports() (b []byte) {
	for n, i := range x.Imports {
		from, as := i.Module, i.Name
		if x.rename != nil {
			from, as = x.rename(n)
		}
		b = append(name(name(b, from), as), byte(i.Kind))
		switch i.Kind {
		case wasm.ExternFunc:
			b = u32(b, i.Func)
		case wasm.ExternTable:
			b = tableType(b, i.Table)
		case wasm.ExternMemory:
			b = limits(b, i.Memory)
		case wasm.ExternGlobal:
			b = globalType(b, i.Global)
		}
	}
	return u32(append(name(name(b, ImportModule), importRefill), byte(wasm.ExternFunc)), x.refillType)
}

func tableType(b []byte, t wasm.TableType) []byte { return limits(append(b, byte(t.Elem)), t.Limits) }

func limits(b []byte, l wasm.Limits) []byte {
	if l.HasMax {
		return u32(u32(append(b, 1), l.Min), l.Max)
	}
	return u32(append(b, 0), l.Min)
}

func globalType(b []byte, t wasm.GlobalType) []byte {
	if t.Mutable {
		return append(b, byte(t.Type), 1)
	}
	return append(b, byte(t.Type), 0)
}

func (x *module) functions() (b []byte) {
	for _, t := range x.Funcs[x.refill:] {
		b = u32(b, t)
	}
	if x.bulk {
		b = u32(u32(b, x.fillType), x.fillType)
	}
	return b
}

// bodies is the number of functions that the module defines.
func (x *module) bodies() int {
	if x.bulk {
		return len(x.Bodies) + 2
	}
	return len(x.Bodies)
}

func (x *module) tables() (b []byte) {
	for _, t := range x.Tables[x.Imported[wasm.ExternTable]:] {
		b = tableType(b, t)
	}
	if n := uint32(len(x.referred)); n > 0 {
		b = tableType(b, wasm.TableType{Elem: wasm.FuncRef, Limits: wasm.Limits{Min: n, Max: n, HasMax: true}})
	}
	return b
}

// slot is where in the table of references that of function i stands, an index of before.
func (x *module) slot(i uint32) int {
	s, ok := x.slots[i]
	if !ok {
		s = len(x.referred)
		x.slots[i] = s
		x.referred = append(x.referred, x.moved(i))
	}
	return s
}

// more is how many tables, and element segments, are added.
func (x *module) more() int { return min(len(x.referred), 1) }

func (x *module) memories() (b []byte) {
	for _, l := range x.Memories[x.Imported[wasm.ExternMemory]:] {
		b = limits(b, l)
	}
	return b
}

// globals has fuel begin below nothing: the first check asks for a slice, also that of a
// start function.
func (x *module) globals() (b []byte) {
	for i, t := range x.Globals[x.Imported[wasm.ExternGlobal]:] {
		b = x.expr(globalType(b, t), x.Inits[i])
	}
	counter := wasm.GlobalType{Type: wasm.I64, Mutable: true}
	for _, begin := range []int64{-1, x.stack} {
		b = append(s64(append(globalType(b, counter), opI64Const), begin), opEnd)
	}
	return b
}

func (x *module) exports() (b []byte) {
	for _, e := range x.Exports {
		i := e.Index
		if e.Kind == wasm.ExternFunc {
			i = x.moved(i)
		}
		b = u32(append(name(b, e.Name), byte(e.Kind)), i)
	}
	b = u32(append(name(b, exportFuel), byte(wasm.ExternGlobal)), x.fuel)
	return u32(append(name(b, exportStack), byte(wasm.ExternGlobal)), x.room)
}

// expr copies a constant expression. Functions that it names have moved.
func (x *module) expr(b []byte, e wasm.Expr) []byte {
	if e.Code[0] == opRefFunc {
		f, _ := binary.Uvarint(e.Code[1:])
		return append(u32(append(b, opRefFunc), x.moved(uint32(f))), opEnd)
	}
	return append(b, e.Code...)
}

func (x *module) elems() (b []byte) {
	for i := range x.Elems {
		b = x.elem(b, &x.Elems[i])
	}
	if n := len(x.referred); n > 0 {
		b = append(u32(append(b, 2), x.refs), opI32Const, 0, opEnd, 0) // active, from 0 on, functions
		b = u32(b, uint32(n))
		for _, f := range x.referred {
			b = u32(b, f)
		}
	}
	return b
}

// elem writes a segment (§5.5.12), with its table and its type named where it may be.
func (x *module) elem(b []byte, e *wasm.Elem) []byte {
	flag := map[wasm.SegmentMode]byte{wasm.Active: 2, wasm.Passive: 1, wasm.Declarative: 3}[e.Mode]
	if e.IsExpr {
		flag |= 4
	}
	b = append(b, flag)
	if e.Mode == wasm.Active {
		b = x.expr(u32(b, e.Table), e.At)
	}
	if e.IsExpr {
		b = append(b, byte(e.Type))
	} else {
		b = append(b, 0)
	}
	b = u32(b, uint32(e.Len()))
	for _, f := range e.Funcs {
		b = u32(b, x.moved(f))
	}
	for _, v := range e.Exprs {
		b = x.expr(b, v)
	}
	return b
}

package wasmtest

import "encoding/binary"

// Value types, as the format encodes them.
const (
	I32 = 0x7f
	I64 = 0x7e
	F32 = 0x7d
	F64 = 0x7c
)

// Func is a function of a module. Code is its body without the final end.
type Func struct {
	Export          string
	Params, Results []byte
	Code            []byte
}

// Import is a function that a module imports.
type Import struct {
	Module, Name    string
	Params, Results []byte
}

// Data is an active data segment.
type Data struct {
	Offset int32
	Bytes  []byte
}

// Module describes a module of one memory.
type Module struct {
	Imports  []Import
	Funcs    []Func
	MinPages uint32
	Data     []Data
}

// Bytes encodes m. Function i has type i, imports first.
func (m Module) Bytes() []byte {
	var types, imports, funcs, exports, code, data vec
	for _, i := range m.Imports {
		imports.add(str(i.Module), str(i.Name), []byte{0}, u32(uint32(types.n)))
		types.add([]byte{0x60}, str(string(i.Params)), str(string(i.Results)))
	}
	exports.add(str("memory"), []byte{2, 0})
	for _, f := range m.Funcs {
		if f.Export != "" {
			exports.add(str(f.Export), []byte{0}, u32(uint32(types.n)))
		}
		funcs.add(u32(uint32(types.n)))
		types.add([]byte{0x60}, str(string(f.Params)), str(string(f.Results)))
		code.add(str("\x00" + string(f.Code) + "\x0b"))
	}
	for _, d := range m.Data {
		data.add([]byte{0, 0x41}, s32(d.Offset), []byte{0x0b}, str(string(d.Bytes)))
	}
	out := Header()
	for _, s := range []struct {
		id byte
		v  vec
	}{{1, types}, {2, imports}, {3, funcs}, {5, vec{1, append([]byte{0}, u32(m.MinPages)...)}}, {7, exports}, {10, code}, {11, data}} {
		out = append(out, Section(s.id, append(u32(uint32(s.v.n)), s.v.b...))...)
	}
	return out
}

// Header is how every core module begins.
func Header() []byte { return []byte("\x00asm\x01\x00\x00\x00") }

// Section is one section of a module.
func Section(id byte, body []byte) []byte {
	return append(append([]byte{id}, u32(uint32(len(body)))...), body...)
}

type vec struct {
	n int
	b []byte
}

func (v *vec) add(parts ...[]byte) {
	v.n++
	for _, p := range parts {
		v.b = append(v.b, p...)
	}
}

func u32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

func str(s string) []byte { return append(u32(uint32(len(s))), s...) }

func s32(v int32) []byte { return s64(int64(v)) }

func s64(v int64) []byte {
	var out []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(out, c)
		}
		out = append(out, c|0x80)
	}
}

// Const is code that gives v.
func Const(v int32) []byte { return append([]byte{0x41}, s32(v)...) }

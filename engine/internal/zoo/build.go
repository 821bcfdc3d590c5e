package zoo

import (
	"encoding/binary"
	"slices"
)

// Section numbers of the binary format (§5.5.2).
const (
	secType     = 1
	secImport   = 2
	secFunction = 3
	secTable    = 4
	secMemory   = 5
	secGlobal   = 6
	secExport   = 7
	secElement  = 9
	secCode     = 10
	secData     = 11
)

const (
	i32     = 0x7f
	i64     = 0x7e
	funcref = 0x70
	void    = 0x40
	most    = 0xffffffff
)

func u32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

func s32(v int32) (b []byte) {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func section(id byte, body ...[]byte) []byte {
	all := cat(body...)
	return cat([]byte{id}, u32(uint32(len(all))), all)
}

// module is the sections behind the magic number and the version.
func module(sections ...[]byte) []byte {
	return cat([]byte("\x00asm\x01\x00\x00\x00"), cat(sections...))
}

func text(s string) []byte { return cat(u32(uint32(len(s))), []byte(s)) }

// body is code without locals.
func body(code ...byte) []byte { return withLocals([]byte{0}, code...) }

func withLocals(locals []byte, code ...byte) []byte {
	return cat(u32(uint32(len(locals)+len(code)+1)), locals, code, []byte{0x0b})
}

// Types of the modules that program makes, by index.
const (
	typeNone  = iota // () -> ()
	typeBlock        // (i32) -> (i32)
	typeCount        // () -> (i32)
)

const elements = 150_000

// program is a module with a memory of 64 MiB, a table of 150,000 elements, and
// functions of one type of which the first is exported as f.
func program(typ byte, bodies ...[]byte) []byte { return sized(typ, 1024, elements, bodies...) }

func sized(typ byte, pages, elements uint32, bodies ...[]byte) []byte {
	n := u32(uint32(len(bodies)))
	return module(
		section(secType, []byte{3, 0x60, 0, 0, 0x60, 1, i32, 1, i32, 0x60, 0, 1, i32}),
		section(secFunction, n, slices.Repeat([]byte{typ}, len(bodies))),
		section(secTable, []byte{1, funcref, 0}, u32(elements)),
		section(secMemory, []byte{1, 0}, u32(pages)),
		section(secExport, []byte{1}, text("f"), []byte{0, 0}),
		section(secCode, n, cat(bodies...)),
	)
}

// oneBody is a module of one function.
func oneBody(b []byte) []byte {
	return module(section(secType, []byte{1, 0x60, 0, 0}), section(secFunction, []byte{1, 0}), section(secCode, []byte{1}, b))
}

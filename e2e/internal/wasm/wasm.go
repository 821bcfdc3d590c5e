// Package wasm writes small core modules for tests, byte by byte, so that no
// toolchain is needed and their size can be chosen.
// Encoding: WebAssembly core specification 1.0, chapter 5.
package wasm

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
)

// Header begins every core module: magic and version 1.
var Header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

const (
	secType, secImport, secFunc, secMemory, secExport, secCode, secData = 1, 2, 3, 5, 7, 10, 11
	typeI64, typeI32, typeFunc                                          = 0x7e, 0x7f, 0x60
	opUnreachable, opI64Const, opDrop, opEnd                            = 0x00, 0x42, 0x1a, 0x0b
)

// Const is a module with one function, "value", that takes nothing and returns v.
func Const(v int64) []byte { return module(append(sleb(v), opEnd)) }

// WriteConst writes [Const] to a file.
func WriteConst(path string, v int64) error { return os.WriteFile(path, Const(v), 0o600) }

// WriteCrash writes a command that ends in a trap at once.
func WriteCrash(path string) error {
	out := append([]byte(nil), Header...)
	out = section(out, secType, []byte{1, typeFunc, 0, 0})
	out = section(out, secFunc, []byte{1, 0})
	out = section(out, secMemory, []byte{1, 0, 1})
	out = section(out, secExport, slices.Concat([]byte{2, 6}, []byte("_start"), []byte{0, 0, 6}, []byte("memory"), []byte{2, 0}))
	out = section(out, secCode, []byte{1, 3, 0, opUnreachable, opEnd})
	return os.WriteFile(path, out, 0o600)
}

// WriteSleep writes a command that sleeps for ever, an hour at a time, by poll_oneoff
// of WASI 0.1. Its subscription (48 bytes: clock 0, relative) lies at address 0.
func WriteSleep(path string) error {
	const seconds = 3600
	subscription := make([]byte, 48)
	binary.LittleEndian.PutUint64(subscription[24:], seconds*1e9)
	name := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	out := append([]byte(nil), Header...)
	out = section(out, secType, []byte{2, typeFunc, 0, 0, typeFunc, 4, typeI32, typeI32, typeI32, typeI32, 1, typeI32})
	out = section(out, secImport, slices.Concat([]byte{1}, name("wasi_snapshot_preview1"), name("poll_oneoff"), []byte{0, 1}))
	out = section(out, secFunc, []byte{1, 0})
	out = section(out, secMemory, []byte{1, 0, 1})
	out = section(out, secExport, slices.Concat([]byte{2}, name("_start"), []byte{0, 1}, name("memory"), []byte{2, 0}))
	const opLoop, opCall, opBr, opI32Const, empty = 0x03, 0x10, 0x0c, 0x41, 0x40
	code := []byte{0, opLoop, empty, opI32Const, 0, opI32Const, 48, opI32Const, 1, opI32Const, 0xe0, 0, opCall, 0, opDrop, opBr, 0, opEnd, opEnd}
	out = section(out, secCode, append([]byte{1, byte(len(code))}, code...))
	out = section(out, secData, slices.Concat([]byte{1, 0, opI32Const, 0, opEnd, byte(len(subscription))}, subscription))
	return os.WriteFile(path, out, 0o600)
}

// Sized is like [Const], with about size bytes of code that has to be compiled:
// the constants differ, so that it does not compress to nothing.
func Sized(v int64, size int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(v))) //nolint:gosec // a reproducible filler
	var body []byte
	for len(body) < size {
		body = append(append(body, sleb(rng.Int64())...), opDrop)
	}
	return module(append(append(body, sleb(v)...), opEnd))
}

// module wraps the instructions of its only function.
func module(code []byte) []byte {
	code = append([]byte{0}, code...) // no locals
	out := append([]byte(nil), Header...)
	out = section(out, secType, []byte{1, typeFunc, 0, 1, typeI64})
	out = section(out, secFunc, []byte{1, 0})
	out = section(out, secExport, append(append([]byte{1, 5}, "value"...), 0, 0))
	body := append(binary.AppendUvarint(nil, uint64(len(code))), code...)
	return section(out, secCode, append([]byte{1}, body...))
}

func section(out []byte, id byte, content []byte) []byte {
	out = append(out, id)
	out = binary.AppendUvarint(out, uint64(len(content)))
	return append(out, content...)
}

// sleb is i64.const v: its immediate is signed LEB128.
func sleb(v int64) []byte {
	out := []byte{opI64Const}
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// Modules with one function of a name, which takes and returns nothing: Spin's never ends,
// Deep's calls itself, Greedy's takes memory, 1 MiB at a time, and traps when it gets none.
func Spin(name string) []byte { return procedure(name, 0x03, 0x40, 0x0c, 0, opEnd) }
func Deep(name string) []byte { return procedure(name, 0x10, 0) }
func Greedy(name string) []byte {
	return procedure(name, 0x03, 0x40, 0x41, 16, 0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40, opUnreachable, opEnd, 0x0c, 0, opEnd)
}

// procedure is a module of one function, and a memory of a page.
func procedure(name string, code ...byte) []byte {
	code = append(append([]byte{0}, code...), opEnd)
	out := append([]byte(nil), Header...)
	out = section(out, secType, []byte{1, typeFunc, 0, 0})
	out = section(out, secFunc, []byte{1, 0})
	out = section(out, secMemory, []byte{1, 0, 1})
	out = section(out, secExport, slices.Concat([]byte{1, byte(len(name))}, []byte(name), []byte{0, 0}))
	return section(out, secCode, append([]byte{1, byte(len(code))}, code...))
}

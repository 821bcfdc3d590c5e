package wasmtest

import (
	"bytes"
	"fmt"
)

// Command is a module whose _start is code; it imports proc_exit as function 0.
func Command(code ...byte) []byte {
	return Module{
		Imports:  []Import{{Module: "wasi_snapshot_preview1", Name: "proc_exit", Params: []byte{I32}}},
		Funcs:    []Func{{Export: "_start", Code: code}},
		MinPages: 1,
	}.Bytes()
}

// Commands that end, or do not.
func Nothing() []byte    { return Command() }
func Exit3() []byte      { return Command(0x41, 3, 0x10, 0) }
func Trap() []byte       { return Command(0x00) }
func Endless() []byte    { return Command(0x03, 0x40, 0x0c, 0, 0x0b) }    // loop br 0 end
func Overflow() []byte   { return Command(0x10, 1) }                      // calls itself
func DivByZero() []byte  { return Command(0x41, 1, 0x41, 0, 0x6d, 0x1a) } // 1/0
func GrowMemory() []byte { return Command(growUntilFull...) }             // traps when it gets no more
var growUntilFull = []byte{0x03, 0x40, 0x41, 16, 0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x0c, 0, 0x0b}

// Identity returns its only parameter, of type t, under a name.
func Identity(name string, t byte) Func {
	return Func{Export: name, Params: []byte{t}, Results: []byte{t}, Code: []byte{0x20, 0}}
}

// Functions is a module of functions alone.
func Functions(fs ...Func) []byte { return Module{Funcs: fs, MinPages: 1}.Bytes() }

// Numbered is a module of one function, which returns i; each i makes another module.
func Numbered(name string, i int32) []byte {
	return Module{MinPages: 1, Data: []Data{{Bytes: fmt.Append(nil, i)}},
		Funcs: []Func{{Export: name, Results: []byte{I32}, Code: Const(i)}}}.Bytes()
}

// DeepTree is a command that calls 2^depth functions without any loop.
func DeepTree(depth int) []byte {
	m := Module{Funcs: []Func{{Export: "_start", Code: []byte{0x10, 1, 0x10, 1}}}, MinPages: 1}
	for i := 1; i < depth; i++ {
		call := append([]byte{0x10}, u32(uint32(i+1))...)
		m.Funcs = append(m.Funcs, Func{Code: append(bytes.Clone(call), call...)})
	}
	m.Funcs = append(m.Funcs, Func{Code: []byte{0x01}})
	return m.Bytes()
}

// VectorBomb is 15 bytes: a section that declares 2^32-1 items.
func VectorBomb(section byte) []byte {
	return append(Header(), Section(section, []byte{0xff, 0xff, 0xff, 0xff, 0x0f})...)
}

// CompileBomb is valid, and takes a compiler longer the larger n is: one function
// of n nested blocks, each with a branch table to all that enclose it.
func CompileBomb(n int) []byte {
	var code []byte
	for range n {
		code = append(code, 0x02, 0x40)
	}
	for depth := n; depth > 0; depth-- {
		code = append(append(code, 0x41, 0, 0x0e), u32(uint32(depth))...)
		for i := range depth + 1 {
			code = append(code, u32(uint32(i))...)
		}
		code = append(code, 0x0b)
	}
	return Command(code...)
}

// Component is the smallest WebAssembly component, which has nothing.
func Component() []byte { return []byte("\x00asm\x0d\x00\x01\x00") }

// Importing is a component that imports a function of a name.
func Importing(name string) []byte {
	function := []byte{1, 0x40, 0, 1, 0} // one type: a function of nothing that returns nothing
	imported := append(append([]byte{1, 0}, str(name)...), 1, 0)
	return append(append(Component(), Section(7, function)...), Section(10, imported)...)
}

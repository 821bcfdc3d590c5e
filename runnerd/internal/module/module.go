package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Errors of [Parse] that callers branch on.
var (
	ErrNotWasm   = errors.New("this is not a WebAssembly file")
	ErrComponent = errors.New("this is a WebAssembly component (WASI 0.2); this version runs core modules: build it for wasm32-wasip1")
	ErrInvalid   = errors.New("this is not a valid WebAssembly module")
)

// Shape is what can be told of a module from outside.
type Shape struct {
	Imports   []Import
	Functions map[string]Signature // exported ones
	Names     []string             // of them, in the order of the module
	Memory    bool                 // whether it has one
	MinPages  uint32               // of memory, at the start
}

// Module is a module that has been read. It refers to the bytes that it was read
// from; a Shape taken out of it does not.
type Module struct {
	Shape

	sections []section
	types    []Signature
	funcs    []uint32 // type of each function, imported ones first
	imported int      // how many of funcs are imported
	tables   int
	globals  int
	locals   int // in all bodies so far
	refs     int // in all element segments so far
}

// Import is one thing that a module wants from its host.
type Import struct {
	Module, Name string
	Kind         Kind
}

// Kind is what is imported or exported.
type Kind byte

// The kinds.
const (
	KindFunction Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

func (k Kind) String() string {
	return [...]string{"function", "table", "memory", "global"}[k&3]
}

// ValueType is the type of a parameter or result, as the format encodes it.
type ValueType byte

// The value types.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return fmt.Sprintf("type(%#x)", byte(t))
}

// Signature is the type of a function.
type Signature struct{ Params, Results []ValueType }

// String is like "(i64, f64) -> (i32)".
func (s Signature) String() string { return list(s.Params) + " -> " + list(s.Results) }

func list(ts []ValueType) string {
	words := make([]string, len(ts))
	for i, t := range ts {
		words[i] = t.String()
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// section is one section of the file: its id and its content.
type section struct {
	id   byte
	body []byte
}

const headerSize = 8

// Parse reads b and checks all but the insides of functions. Errors
// wrap [ErrNotWasm], [ErrComponent] or [ErrInvalid] and are for people.
func Parse(b []byte) (*Module, error) {
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	m := &Module{Shape: Shape{Functions: map[string]Signature{}}}
	r := &reader{b: b, at: headerSize}
	last := 0
	for r.left() > 0 {
		id := r.byte()
		body := r.bytes(r.u32())
		if r.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, r.err)
		}
		if id == sectionCustom {
			continue
		}
		place := order(id)
		if place == 0 {
			return nil, fmt.Errorf("%w: section %d (a newer extension of WebAssembly) is not known here", ErrInvalid, id)
		}
		if place <= last {
			return nil, fmt.Errorf("%w: section %s is out of order", ErrInvalid, sectionName(id))
		}
		last = place
		if err := m.section(id, body); err != nil {
			return nil, fmt.Errorf("%w: section %s: %w", ErrInvalid, sectionName(id), err)
		}
		m.sections = append(m.sections, section{id, body})
	}
	if n := len(m.funcs) - m.imported; n > 0 && !m.has(sectionCode) {
		return nil, fmt.Errorf("%w: it declares %d functions and holds none", ErrInvalid, n)
	}
	return m, nil
}

func checkHeader(b []byte) error {
	if len(b) < headerSize || !bytes.HasPrefix(b, []byte("\x00asm")) {
		return ErrNotWasm
	}
	version, layer := binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:])
	if layer == 1 {
		return ErrComponent
	}
	if version != 1 || layer != 0 {
		return fmt.Errorf("%w: version %d is not known here", ErrInvalid, version)
	}
	return nil
}

func (m *Module) has(id byte) bool {
	for _, s := range m.sections {
		if s.id == id {
			return true
		}
	}
	return false
}

package meter

import (
	"bytes"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// Errors of [Parse] for bytes that are no core module at all; look for them with
// [errors.Is].
var (
	ErrNotWasm   = wasm.ErrNotWasm
	ErrComponent = wasm.ErrComponent
)

// Sizes in bytes.
const (
	PageSize    = 64 << 10 // of a page of memory
	ElementSize = 8        // of an element of a table, as wazero keeps it

	referenceSize = 64 // of an element of a segment, likewise
	globalSize    = 80 // of a global, likewise
)

// Module is a valid core module. It refers to the bytes that it was read from, which are
// not to be changed.
type Module struct {
	decoded *wasm.Module
	size    int
	options Options
	image   []Segment
}

// Parse decodes and validates a module, which may come from anybody: memory and time are
// linear in its length. Errors: an [*Error], which wraps [ErrNotWasm] or [ErrComponent]
// where that is so, or [ErrReserved].
func Parse(module []byte, o Options) (*Module, error) {
	caps := DefaultCaps()
	if o.Caps != nil {
		caps = *o.Caps
	}
	m, err := wasm.Decode(module, o.Features, caps)
	if err != nil {
		return nil, err
	}
	if err := reserved(m); err != nil {
		return nil, err
	}
	out := &Module{decoded: m, size: len(module), options: o}
	if o.Image {
		out.image = imageOf(m)
	}
	return out, nil
}

// Instrument returns the module with meters.
func (m *Module) Instrument() []byte {
	x := newModule(m.decoded, m.options)
	x.imaged = len(m.image) > 0
	return x.encode(m.size)
}

// Passes reports whether the module exports a function that it imports, and the name of it.
func (m *Module) Passes() (export string, is bool) {
	for _, e := range m.decoded.Exports {
		if e.Kind == wasm.ExternFunc && int(e.Index) < m.decoded.Imported[wasm.ExternFunc] {
			return e.Name, true
		}
	}
	return "", false
}

// Shape is what can be told of a module from outside. It does not refer to the bytes of
// the module.
type Shape struct {
	Imports   []Import
	Functions map[string]Signature // that are exported
	Names     []string             // of these, in the order of the module
	Memories  []Limits             // pages; imported ones first
	Tables    []Limits             // elements; likewise
	Start     bool                 // a function runs whenever an instance is made
	Elements  int                  // of all element segments
	Segments  int                  // of elements and of data
	Data      int64                // bytes of all data segments
	Globals   int                  // that it does not import
	own       [2]int               // first of the memories, and of the tables, that it does not import
}

// Import is one thing that a module wants from its host.
type Import struct {
	Module, Name string
	Kind         ExternKind
}

// What modules are made of.
type (
	// Limits are the size of a memory, in pages, or of a table, in elements.
	Limits = wasm.Limits
	// ExternKind is what is imported; its String says it in a word.
	ExternKind = wasm.ExternKind
	// ValueType is the type of a parameter or result.
	ValueType = wasm.ValueType
)

// Kinds of imports.
const (
	KindFunction = wasm.ExternFunc
	KindTable    = wasm.ExternTable
	KindMemory   = wasm.ExternMemory
	KindGlobal   = wasm.ExternGlobal
)

// Types of values.
const (
	I32       = wasm.I32
	I64       = wasm.I64
	F32       = wasm.F32
	F64       = wasm.F64
	V128      = wasm.V128
	FuncRef   = wasm.FuncRef
	ExternRef = wasm.ExternRef
)

// Signature is the type of a function.
type Signature struct{ Params, Results []ValueType }

// String is like "(i64, f64) -> (i32)".
func (s Signature) String() string { return list(s.Params) + " -> " + list(s.Results) }

func list(types []ValueType) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = t.String()
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// Shape returns the shape of m.
func (m *Module) Shape() Shape {
	d := m.decoded
	s := Shape{Functions: map[string]Signature{}, Memories: slices.Clone(d.Memories), Start: d.Start.Is,
		own: [2]int{d.Imported[wasm.ExternMemory], d.Imported[wasm.ExternTable]}}
	for _, i := range d.Imports {
		s.Imports = append(s.Imports, Import{i.Module, i.Name, i.Kind})
	}
	s.Globals = len(d.Inits)
	s.Segments = len(d.Elems) + len(d.Data)
	for i := range d.Elems {
		s.Elements += d.Elems[i].Len()
	}
	for i := range d.Data {
		s.Data += int64(len(d.Data[i].Init))
	}
	for _, t := range d.Tables {
		s.Tables = append(s.Tables, t.Limits)
	}
	for _, e := range d.Exports {
		if e.Kind == wasm.ExternFunc {
			t := d.FuncType(e.Index)
			s.Functions[e.Name] = Signature{t.Params, t.Results}
			s.Names = append(s.Names, e.Name)
		}
	}
	return s
}

// Kind is what a module is for its host, by what it exports (WASI application ABI).
type Kind string

// Kinds of modules.
const (
	Command Kind = "command" // its _start runs once, to the end
	Reactor Kind = "reactor" // its _initialize runs before its other exports are called
	Library Kind = "library" // its exports can be called
)

// Names of exports that say of which kind a module is.
const (
	EntryCommand = "_start"
	EntryReactor = "_initialize"
)

// Kind says what the module is for its host.
func (s *Shape) Kind() Kind {
	if _, ok := s.Functions[EntryCommand]; ok {
		return Command
	}
	if _, ok := s.Functions[EntryReactor]; ok {
		return Reactor
	}
	return Library
}

// Size is how many bytes the memory, the tables and the globals of a new instance take,
// together. What is imported is not counted.
func (s *Shape) Size() int64 { return s.memorySize() + s.TableSize() }

func (s *Shape) memorySize() (n int64) {
	for _, m := range s.Memories[min(s.own[0], len(s.Memories)):] {
		n += int64(m.Min) * PageSize
	}
	return n
}

// TableSize is how many of these bytes are not those of the memory: of tables, of what
// stands in them, and of globals.
func (s *Shape) TableSize() (n int64) {
	n = int64(s.Elements)*referenceSize + int64(s.Globals)*globalSize
	for _, t := range s.Tables[min(s.own[1], len(s.Tables)):] {
		n += int64(t.Min) * ElementSize
	}
	return n
}

// MostMemory is how many bytes the memories of an instance may grow to, if they say. What is
// imported is not counted.
func (s *Shape) MostMemory() (n int64, bounded bool) {
	for _, m := range s.Memories[min(s.own[0], len(s.Memories)):] {
		if !m.HasMax {
			return 0, false
		}
		n += int64(m.Max) * PageSize
	}
	return n, true
}

// Mentions reports whether all of some words are in the data of the module.
func (m *Module) Mentions(words ...string) bool {
	for _, w := range words {
		in := func(d wasm.Data) bool { return bytes.Contains(d.Init, []byte(w)) }
		if !slices.ContainsFunc(m.decoded.Data, in) {
			return false
		}
	}
	return true
}

package wasm

// Caps bound what a module may have, besides what the specification says. The zero Caps
// allow nothing: begin with [DefaultCaps].
type Caps struct {
	Module  int // bytes of the whole
	Body    int // bytes of one function's body
	Types   int
	Params  int // of one type; likewise results
	Imports int
	Exports int
	Funcs   int // imported ones included; likewise the next three
	Tables  int
	Globals int
	// Locals of one function, parameters included.
	Locals int
	// Segments of data; likewise of elements.
	Segments int
	// Elements of tables as they are declared, and in all element segments together.
	Elements int
	// Nesting of blocks in one function.
	Nesting int
	// Operands on the stack of one function.
	Operands int
	// Name is the length of a name in bytes.
	Name int
}

// DefaultCaps are far above what compilers emit. Several are those that browsers have
// agreed on (WebAssembly JavaScript Interface, "Implementation-defined Limits"); bodies
// and locals are below, since the time to compile a function grows faster than its size.
func DefaultCaps() Caps {
	return Caps{
		Module: 256 << 20, Body: 4 << 20,
		Types: 100_000, Params: 1000, Imports: 100_000, Exports: 100_000,
		Funcs: 1_000_000, Tables: 100, Globals: 100_000,
		Locals: 20_000, Segments: 100_000, Elements: 10_000_000,
		Nesting: 20_000, Operands: 50_000, Name: 100_000,
	}
}

// Features are proposals that a module may use beyond release 2.0.
type Features struct {
	ExtendedConst bool // arithmetic in constant expressions
	TailCalls     bool
}

// maxPages is the most pages of a memory (§2.5.5).
const maxPages = 1 << 16

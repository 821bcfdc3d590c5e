package binary

import "github.com/realm-mesh/realm/engine/internal/wasm"

// Caps bound what a component may have. The zero Caps allow nothing: begin with
// [DefaultCaps].
type Caps struct {
	Bytes int // of the whole
	// Depth of components in components, and of types of components and instances in each
	// other.
	Depth      int
	Modules    int // core modules, in all nested components together
	Components int // in all nested components together
	// Items are definitions, declarations, fields, arguments and whatever else comes in
	// lists, in the whole component.
	Items int
	// Space is entries of one index space.
	Space int
	// Fields of one type: of a record, cases, names, elements, or parameters.
	Fields int
	Name   int // bytes of a name
	// TypeSize is parts of a type, everything that it refers to counted each time.
	TypeSize int
	// TypeDepth is how deep types of values may refer to each other.
	TypeDepth int
	// Work is what it may take to compare types, in steps that each look at one part.
	Work int
	Core wasm.Caps // of each core module
}

// DefaultCaps are far above what toolchains emit: a component of 12 MB that has
// a whole JavaScript engine in it has 4 modules and some 1,000 items, and takes 13,000 steps of
// work. All the work there may be takes seconds, and some 100 MB. Several are those of other
// implementations.
func DefaultCaps() Caps {
	return Caps{
		Bytes: 256 << 20, Depth: 100, Modules: 1000, Components: 1000, Items: 250_000,
		Space: 100_000, Fields: 10_000, Name: 100_000,
		TypeSize: 1_000_000, TypeDepth: 100, Work: 10_000_000,
		Core: wasm.DefaultCaps(),
	}
}

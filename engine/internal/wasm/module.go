package wasm

// Module is a valid module. Indices that it holds are in range. It is not changed after
// [Decode] returned it.
type Module struct {
	Types   []FuncType
	Imports []Import
	// Funcs are the types of all functions, as indices of Types; likewise Tables,
	// Memories and Globals: those that are imported come first.
	Funcs    []uint32
	Tables   []TableType
	Memories []Limits
	Globals  []GlobalType
	// Imported says how many of each kind are imported.
	Imported [4]int

	Inits   []Expr // of the globals that are not imported
	Exports []Export
	Start   Start
	Elems   []Elem
	Bodies  []Body // of the functions that are not imported
	Data    []Data
	// HasDataCount: a data count section is there, as code that names data needs it.
	HasDataCount bool
	// NamesData: there is such code.
	NamesData bool
	Custom    []Custom

	dataCount int // as announced
}

// Start is the function that runs when the module is instantiated, if Is.
type Start struct {
	Is   bool
	Func uint32
}

// Import is one import. Of the fields that follow Kind, the one of that kind is set.
type Import struct {
	Module, Name string
	Kind         ExternKind
	Func         uint32 // index of its type
	Table        TableType
	Memory       Limits
	Global       GlobalType
}

// Export is one export.
type Export struct {
	Name  string
	Kind  ExternKind
	Index uint32
}

// Expr is a constant expression: its instructions, the end included.
type Expr struct {
	Code   []byte
	Offset int // of Code in the module
}

// SegmentMode says when a segment is copied (§2.5.7).
type SegmentMode byte

// Modes of segments.
const (
	Active      SegmentMode = iota // when the module is instantiated
	Passive                        // by instructions
	Declarative                    // never: it says which functions are referred to
)

// Elem is an element segment: functions by index in Funcs, or expressions in Exprs.
type Elem struct {
	Mode   SegmentMode
	Table  uint32 // of an active one
	At     Expr   // of an active one
	Type   ValueType
	Funcs  []uint32
	Exprs  []Expr
	IsExpr bool
}

// Len is the number of elements.
func (e *Elem) Len() int { return len(e.Funcs) + len(e.Exprs) }

// Data is a data segment.
type Data struct {
	Mode SegmentMode // Active or Passive
	At   Expr        // of an active one
	Init []byte
}

// Body is the code of a function.
type Body struct {
	Locals []LocalRun // parameters left out
	Code   []byte     // instructions, the last end included
	Offset int        // of Code in the module
	// Operands is the most there are on the stack at a time.
	Operands int
}

// LocalRun is Count locals of one type that follow each other.
type LocalRun struct {
	Count uint32
	Type  ValueType
}

// Custom is a custom section. Nothing is known of what is in it.
type Custom struct {
	Name string
	Data []byte
}

// FuncType is the type of function i, imported ones counted.
func (m *Module) FuncType(i uint32) FuncType { return m.Types[m.Funcs[i]] }

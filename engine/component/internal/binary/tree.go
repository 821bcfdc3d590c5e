package binary

import "github.com/realm-mesh/realm/engine/internal/wasm"

// Sort is an index space of a component.
type Sort uint8

// The sorts. Numbers are ours, not those of the encoding.
const (
	CoreFunc Sort = iota
	CoreTable
	CoreMemory
	CoreGlobal
	CoreType
	CoreModule
	CoreInstance
	Func
	Value
	Type
	ComponentSort
	InstanceSort
	sorts
)

func (s Sort) String() string {
	return [sorts]string{"core function", "core table", "core memory", "core global", "core type", "core module",
		"core instance", "function", "value", "type", "component", "instance"}[s]
}

// Ref is an entry of an index space of the component that it stands in.
type Ref struct {
	Sort  Sort
	Index uint32
}

// Component is a component as it is written: what it defines, in its order. Each
// definition adds one entry to one index space.
type Component struct {
	Defs []Def
	// Offset of it in the outermost component, and its length, bytes.
	Offset, Len int
	Custom      []wasm.Custom
}

// Def is one definition: one of the pointers below, as Is.
type Def struct {
	Offset int // in the outermost component
	Is     any // *Module, *CoreInst, *CoreFuncType, *ModuleType, *Component, *Inst, *Alias, *TypeDef, *Canon, *Import, *Export
}

// Module is a core module, defined in a component.
type Module struct {
	Code   []byte
	Module *wasm.Module
}

// CoreInst defines a core instance: an instance of Module, or, if Inline, a bundle
// of what is there already.
type CoreInst struct {
	Inline  bool
	Module  uint32
	Args    []CoreArg
	Exports []CoreExport
}

// CoreArg is the instance that satisfies all imports from the module Name.
type CoreArg struct {
	Name     string
	Instance uint32
}

// CoreExport is an entry of an inline core instance.
type CoreExport struct {
	Name string
	Ref  Ref
}

// CoreFuncType is a core function type in the space of core types.
type CoreFuncType struct{ wasm.FuncType }

// ModuleType is the type of a core module.
type ModuleType struct{ Decls []ModuleDecl }

// ModuleDecl is a part of a ModuleType: one of its pointers is set.
type ModuleDecl struct {
	Offset int // in the outermost component
	Type   *CoreFuncType
	Outer  *Alias // of a core type
	Import *wasm.Import
	Export *ModuleExport
}

// ModuleExport is what a ModuleType says of an export: the type as in wasm.Import.
type ModuleExport struct {
	Name string
	Type wasm.Import
}

// Inst defines an instance: of a component, or, if Inline, a bundle.
type Inst struct {
	Inline    bool
	Component uint32
	Args      []Arg
	Exports   []InlineExport
}

// Arg satisfies the import Name.
type Arg struct {
	Name string
	Ref  Ref
}

// InlineExport is an entry of an inline instance.
type InlineExport struct {
	Name string // as it is written
	Attributes
	Ref Ref
}

// AliasKind says what an Alias is of.
type AliasKind uint8

// The kinds of aliases.
const (
	AliasExport     AliasKind = iota // of the component instance Instance
	AliasCoreExport                  // of the core instance Instance
	AliasOuter                       // of the component Count levels out: Index there
)

// Alias adds to the space of Sort what is somewhere else already.
type Alias struct {
	Kind     AliasKind
	Sort     Sort
	Instance uint32
	Name     string
	Count    uint32
	Index    uint32
}

// TypeDef defines a type: one of the pointers below, or *ValType, as Is.
type TypeDef struct {
	Is any // *ValType, *FuncType, *ComponentType, *InstanceType, *ResourceType
}

// Prim is a primitive type as it is encoded, from 0x7f (bool) down to 0x73 (string).
type Prim uint8

// TypeRef is a type of values: primitive, or an index of the space of types.
type TypeRef struct {
	Prim  Prim // 0: Index
	Index uint32
}

// ValKind is the form of a ValType.
type ValKind uint8

// The forms, as they are encoded.
const (
	Record  ValKind = 0x72
	Variant ValKind = 0x71
	List    ValKind = 0x70
	Tuple   ValKind = 0x6f
	Flags   ValKind = 0x6e
	Enum    ValKind = 0x6d
	Option  ValKind = 0x6b
	Result  ValKind = 0x6a
	Own     ValKind = 0x69
	Borrow  ValKind = 0x68
)

// ValType is a type of values. If Kind is 0 it is Prim alone.
type ValType struct {
	Kind   ValKind
	Prim   Prim
	Fields []Field  // of Record, Variant and Tuple; a Type is nil for a case without
	Names  []string // of Flags and Enum
	Elem   TypeRef  // of List and Option
	OK     *TypeRef // of Result; likewise Err
	Err    *TypeRef
	Index  uint32 // of Own and Borrow: of the resource in the space of types
}

// Field is a field, case, element or parameter.
type Field struct {
	Name string
	Type *TypeRef
}

// FuncType is the type of a component function.
type FuncType struct {
	Params []Field
	Result *TypeRef
}

// ComponentType is the type of a component, InstanceType that of an instance.
type (
	ComponentType struct{ Decls []Decl }
	InstanceType  struct{ Decls []Decl }
)

// Decl is a part of such a type: *CoreFuncType, *ModuleType, *TypeDef, *Alias, *Import (of a
// component type only) or *ExportDecl, as Is.
type Decl struct {
	Offset int
	Is     any
}

// ExportDecl declares an export.
type ExportDecl struct {
	Name string
	Attributes
	Desc Desc
}

// Attributes are what may be said of the name of an import or export. None of them has
// a part in what matches what.
type Attributes struct {
	// Implements is the interface that an instance with a plain name has.
	Implements string
	// VersionSuffix is what Name leaves of the version of an interface: appended to it, it is
	// the whole version.
	VersionSuffix string
	ExternalID    string
	Has           Attribute // which of them are there
}

// Attribute is a set of attributes.
type Attribute uint8

// The attributes.
const (
	HasImplements Attribute = 1 << iota
	HasVersionSuffix
	HasExternalID
)

// ResourceType is a resource, represented as an i32.
type ResourceType struct {
	Dtor *uint32 // a core function
}

// Desc is the type of an import or export.
type Desc struct {
	Sort Sort // CoreModule, Func, Type, ComponentSort or InstanceSort
	// Index is of the type: a core type for a CoreModule. For a Type it is what it equals, if
	// not Resource: then it is a resource of which nothing is known.
	Index    uint32
	Resource bool
}

// Op is what a canonical definition does.
type Op uint8

// The canonical definitions.
const (
	Lift Op = iota
	Lower
	ResourceNew
	ResourceDrop
	ResourceRep
)

// Encoding is how strings are in memory.
type Encoding uint8

// The encodings.
const (
	UTF8 Encoding = iota
	UTF16
	Latin1UTF16
)

// Options of Lift and Lower. Indices are of core memories and functions.
type Options struct {
	Encoding   Encoding
	Memory     *uint32
	Realloc    *uint32
	PostReturn *uint32
}

// Canon is a canonical definition. Lift adds to the space of functions, the others
// to that of core functions.
type Canon struct {
	Op      Op
	Func    uint32 // of Lift: a core function; of Lower: a function
	Type    uint32 // of Lift: of the function; of ResourceNew, Drop and Rep: of the resource
	Options Options
}

// Import is an import; it adds to the space of its sort.
type Import struct {
	Name string // as it is written: arguments are matched by it
	Attributes
	Desc Desc
}

// Export is an export; it adds to the space of its sort, the same thing anew.
type Export struct {
	Name string
	Attributes
	Ref  Ref
	Desc *Desc // nil: none was given
}

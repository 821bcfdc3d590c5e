package wit

// Kind is the form of a Type.
type Kind uint8

// The kinds of types.
const (
	Bool Kind = iota + 1
	S8
	U8
	S16
	U16
	S32
	U32
	S64
	U64
	F32
	F64
	Char
	String
	List
	Record
	Tuple
	Variant
	Enum
	Option
	Result
	Flags
	Own
	Borrow
)

// Type is a type of values. Two types are the same when they have the same form
// and mean the same resources, whatever they are called: see [Same].
//
// A Type is not changed once it is made: instances share it.
type Type struct {
	Kind Kind
	// Name is for people who read of the type; many have none.
	Name string
	// Elem is of List and Option.
	Elem *Type
	// Fields of Record and Tuple, whose names are empty.
	Fields []Field
	// Cases of Variant.
	Cases []Case
	// Names of Enum and Flags.
	Names []string
	// OK and Err are of Result. Either may be nil: no value.
	OK, Err *Type
	// Resource is of Own and Borrow.
	Resource *Resource
}

// Field is a field of a record, an element of a tuple, or a parameter.
type Field struct {
	Name string
	Type *Type
}

// Case is a case of a variant. Its type may be nil: no value.
type Case struct {
	Name string
	Type *Type
}

// Func is the type of a function. Result may be nil: none.
type Func struct {
	Params []Field
	Result *Type
}

// Resource is a type of resources. It is its own identity: two are the same type
// only if they are the same pointer.
type Resource struct {
	// Name is for people who read of it.
	Name string
}

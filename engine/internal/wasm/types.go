package wasm

import "slices"

// ValueType is the type of a value, as it is encoded (§5.3.4).
type ValueType byte

// Value types.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f

	// unknown is what an operand of unreachable code is taken for.
	unknown ValueType = 0
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
	return "unknown"
}

// Ref reports whether t is a reference.
func (t ValueType) Ref() bool { return t == FuncRef || t == ExternRef }

func (t ValueType) known() bool { return t.Ref() || t >= V128 && t <= I32 }

// FuncType is the type of a function, or of a block.
type FuncType struct {
	Params, Results []ValueType
}

// Equal reports whether t and o are the same type.
func (t FuncType) Equal(o FuncType) bool {
	return slices.Equal(t.Params, o.Params) && slices.Equal(t.Results, o.Results)
}

// Limits are the sizes of a table (elements) or of a memory (pages of 64 KiB).
type Limits struct {
	Min    uint32
	Max    uint32 // if HasMax
	HasMax bool
}

// TableType is the type of a table.
type TableType struct {
	Elem ValueType
	Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// ExternKind says what is imported or exported, as it is encoded (§5.5.5).
type ExternKind byte

// Kinds of imports and exports.
const (
	ExternFunc ExternKind = iota
	ExternTable
	ExternMemory
	ExternGlobal
)

func (k ExternKind) String() string {
	return [...]string{"function", "table", "memory", "global"}[k]
}

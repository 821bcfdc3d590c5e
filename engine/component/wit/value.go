package wit

// Choice is a value of a variant, option or result: which case, and what it holds,
// nil if it holds nothing.
type Choice struct {
	Case  uint32
	Value any
}

// Handle is an own or borrow of a resource. Rep is what stands for it on the side
// that defined it: never an index of a table of handles. Where the host gives one to a
// guest it may leave out the Resource: then it is that of the type.
//
// An own has one owner. Who is given one, as an argument or a result, is to pass it on or to
// have it dropped. A borrow is valid until the call returns that it is an argument of.
type Handle struct {
	Resource *Resource
	Rep      uint32
	Own      bool
}

// None is the empty option.
func None() Choice { return Choice{} }

// Some is the option that holds v.
func Some(v any) Choice { return Choice{Case: 1, Value: v} }

// Ok is the result that went well; v is nil if it has no value.
func Ok(v any) Choice { return Choice{Value: v} }

// Error is the result that failed; v is nil if it has no value.
func Error(v any) Choice { return Choice{Case: 1, Value: v} }

// IsSome reports whether c, an option, holds a value.
func (c Choice) IsSome() bool { return c.Case == 1 }

// IsOk reports whether c, a result, went well.
func (c Choice) IsOk() bool { return c.Case == 0 }

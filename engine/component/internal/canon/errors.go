package canon

import (
	"fmt"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// Trap is what a guest broke: it ends the call, and the instance.
type Trap struct {
	Rule string // what happened that must not
}

func (t *Trap) Error() string { return "trap: " + t.Rule }

func trap(rule string) error { return &Trap{Rule: rule} }

func trapf(format string, args ...any) error { return &Trap{Rule: fmt.Sprintf(format, args...)} }

// ValueError is a value of the host's that is not of its type.
type ValueError struct {
	Path string // where in the value, such as ".headers[3]"; empty: all of it
	Want string
	Got  string
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("value is %s, want %s", e.Got, e.Want)
	}
	return fmt.Sprintf("value at %s is %s, want %s", e.Path, e.Got, e.Want)
}

// at says where in a value err is, if it is about one.
func at(step string, err error) error {
	if e, ok := err.(*ValueError); ok { //nolint:errorlint // made just below, not yet wrapped
		e.Path = step + e.Path
	}
	return err
}

var kindNames = [...]string{
	wit.Bool: "bool", wit.S8: "s8 (int8)", wit.U8: "u8 (uint8)", wit.S16: "s16 (int16)", wit.U16: "u16 (uint16)",
	wit.S32: "s32 (int32)", wit.U32: "u32 (uint32)", wit.S64: "s64 (int64)", wit.U64: "u64 (uint64)",
	wit.F32: "f32 (float32)", wit.F64: "f64 (float64)", wit.Char: "char (rune)", wit.String: "string of UTF-8",
	wit.List: "list ([]any)", wit.Record: "record ([]any)", wit.Tuple: "tuple ([]any)",
	wit.Variant: "variant (wit.Choice)", wit.Enum: "enum (uint32)", wit.Option: "option (wit.Choice)",
	wit.Result: "result (wit.Choice)", wit.Flags: "flags (uint32)", wit.Own: "own (wit.Handle)",
	wit.Borrow: "borrow (wit.Handle)",
}

// wrong is the error that v is not a value of l.
func (l *layout) wrong(v any) error {
	e := &ValueError{Want: kindNames[l.kind], Got: fmt.Sprintf("%T", v)}
	switch l.kind {
	case wit.Char:
		if r, ok := v.(rune); ok {
			e.Got = fmt.Sprintf("%#x", r)
		}
	case wit.Enum, wit.Flags:
		if n, ok := v.(uint32); ok {
			e.Got, e.Want = fmt.Sprintf("%#x", n), fmt.Sprintf("%s of %d names", e.Want, l.count)
		}
	case wit.List:
		if l.bytes() {
			e.Want = "list<u8> ([]byte)"
		}
	case wit.Record, wit.Tuple:
		if vs, ok := v.([]any); ok {
			e.Got, e.Want = fmt.Sprintf("[]any of %d", len(vs)), fmt.Sprintf("%s of %d", e.Want, len(l.fields))
		}
	case wit.Variant, wit.Option, wit.Result:
		if c, ok := v.(wit.Choice); ok {
			e.Got, e.Want = fmt.Sprintf("case %d, with a %T", c.Case, c.Value), fmt.Sprintf("%s of %d cases", e.Want, l.count)
		}
	}
	return e
}

func kindOf(v any) string { return fmt.Sprintf("%T", v) }

// step names a part of a value in the path of an error.
func (l *layout) step(i int) string {
	switch {
	case l.kind == wit.List:
		return fmt.Sprintf("[%d]", i)
	case l.cases != nil:
		return "." + l.cases[i].name
	case l.fields[i].name == "":
		return fmt.Sprintf(".%d", i)
	}
	return "." + l.fields[i].name
}

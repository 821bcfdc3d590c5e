package wasm

import (
	"errors"
	"fmt"
)

// What bytes are that are no core module, as an [*Error] wraps it.
var (
	ErrNotWasm   = errors.New("this is not WebAssembly")
	ErrComponent = errors.New("this is a component, not a core module")
)

// Error says why a module was refused.
type Error struct {
	Offset int    // in the module, bytes from its begin
	Func   int    // index of the function in whose body it is; -1: in none
	Instr  string // the instruction at fault, if it is one
	Reason string
	Cause  error // ErrNotWasm, ErrComponent, or nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) Error() string {
	if e.Instr != "" {
		return fmt.Sprintf("byte %#x, function %d: %s: %s", e.Offset, e.Func, e.Instr, e.Reason)
	}
	if e.Func >= 0 {
		return fmt.Sprintf("byte %#x, function %d: %s", e.Offset, e.Func, e.Reason)
	}
	return fmt.Sprintf("byte %#x: %s", e.Offset, e.Reason)
}

package wasm

import "fmt"

// Error says why a module was refused.
type Error struct {
	Offset int // in the module, bytes from its begin
	Func   int // index of the function in whose body it is; -1: in none
	Reason string
}

func (e *Error) Error() string {
	if e.Func >= 0 {
		return fmt.Sprintf("byte %#x, function %d: %s", e.Offset, e.Func, e.Reason)
	}
	return fmt.Sprintf("byte %#x: %s", e.Offset, e.Reason)
}

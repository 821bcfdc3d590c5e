package binary

import (
	"errors"
	"fmt"
)

// ErrNotComponent is the cause of an [*Error] for bytes that are something else.
var ErrNotComponent = errors.New("this is not a WebAssembly component")

// Error says why a component was refused.
type Error struct {
	Offset int // in the outermost component, bytes from its begin
	Reason string
	// Missing are the features that the component needs and that there are not, each once
	// and in the order of their use. Then Offset is of the first, and Reason lists them.
	Missing []string
	// Cause is ErrNotComponent, what is wrong with a core module, what else is wrong with a
	// component that has Missing, or nil.
	Cause error

	skip bool // the rest of the section only could not be read
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) Error() string { return fmt.Sprintf("byte %#x: %s", e.Offset, e.Reason) }

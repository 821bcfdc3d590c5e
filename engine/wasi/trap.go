package wasi

import "fmt"

// Trap is a use of the host that the specification answers with a trap: it ends the guest.
type Trap struct{ Reason string }

// Error implements error.
func (t Trap) Error() string { return "misuse of the host: " + t.Reason }

func trap(format string, args ...any) error { return Trap{fmt.Sprintf(format, args...)} }

// ErrExit ends a guest that has called exit.
type ErrExit struct{ Code uint8 }

// Error implements error.
func (e ErrExit) Error() string { return fmt.Sprintf("exit with code %d", e.Code) }

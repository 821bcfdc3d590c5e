package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/engine/wasi"
)

// Errors that callers branch on.
var (
	// ErrNotCompiled says that a module is not in the cache.
	ErrNotCompiled = errors.New("not compiled yet")
	// ErrRefused says that a module is not valid, or beyond what the compiler can do.
	ErrRefused = errors.New("the compiler does not take it")
	// ErrRunaway says that a guest did not stop when its context ended: a call of its
	// host does not return. It holds its memory and a thread until it does.
	ErrRunaway = errors.New("the program waits for something on this node that does not return, and cannot be interrupted there")
)

// ExitError is the end of a program by proc_exit.
type ExitError struct{ Code uint32 }

func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// Trap is the end of a program by a fault of its own, such as a division by zero.
type Trap struct{ Text string }

func (e *Trap) Error() string { return e.Text }

// DeadlineError says that a program took longer than it may. Callers give it as
// the cause of the context that they run a program under.
type DeadlineError struct{ After time.Duration }

func (e *DeadlineError) Error() string {
	return fmt.Sprintf("deadline of %d ms passed", e.After.Milliseconds())
}

// WithDeadline returns a context that ends after d with a [*DeadlineError].
func WithDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, &DeadlineError{d})
}

// StoppedError says that a program was stopped since its context has ended, and wraps the
// cause of that: a [*DeadlineError], or whoever canceled it.
type StoppedError struct {
	Cause error
	Fuel  uint64 // used
}

func (e *StoppedError) Error() string {
	if late := new(DeadlineError); errors.As(e.Cause, &late) {
		return fmt.Sprintf("%v (%d units of fuel used)", e.Cause, e.Fuel)
	}
	return fmt.Sprintf("stopped after %d units of fuel: %v", e.Fuel, e.Cause)
}

// Unwrap returns the cause.
func (e *StoppedError) Unwrap() error { return e.Cause }

// FuelError says that a program has used more than it may.
type FuelError struct{ Limit, Used uint64 }

func (e *FuelError) Error() string {
	return fmt.Sprintf("out of fuel after %d units of %d", e.Used, e.Limit)
}

// StackError says that a program has called itself too deeply. It wraps a [*Trap].
type StackError struct{ Fuel uint64 }

func (e *StackError) Error() string {
	return fmt.Sprintf("trap: stack overflow (%d units of fuel used): its calls are nested too deeply", e.Fuel)
}

// Unwrap returns the trap that it is.
func (*StackError) Unwrap() error { return &Trap{"trap: stack overflow"} }

// MemoryError says that a program ended after it was refused memory, and wraps the
// [*Trap] or [*ExitError] by which it did.
type MemoryError struct {
	Limit int64  // bytes of memory and tables
	Fuel  uint64 // used
	End   error
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%v, after it was refused more than %d MiB of memory (%d units of fuel used)", e.End, e.Limit>>20, e.Fuel)
}

// Unwrap returns how the program ended.
func (e *MemoryError) Unwrap() error { return e.End }

// error translates what wazero says of a call into the errors of this package: nil where
// it returned, a [*StoppedError] where ctx has ended, else an [*ExitError], a [*FuelError],
// a [*StackError], a [*MemoryError] or a [*Trap]. A guest that has failed after the end of
// ctx failed because of it: its streams and its sleep fail then, too.
func (i *Instance) error(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, meter.ErrDeadline) {
		<-ctx.Done() // any moment: the clock was faster than its timer
	}
	if left := (wasi.ErrExit{}); errors.As(err, &left) {
		err = sys.NewExitError(uint32(left.Code))
	}
	var exit *sys.ExitError
	switch exits := errors.As(err, &exit); {
	case exits && exit.ExitCode() == 0:
		return &ExitError{0}
	case ctx.Err() != nil:
		return &StoppedError{context.Cause(ctx), i.budget.Used()}
	case errors.Is(err, meter.ErrFuel):
		return &FuelError{i.fuel, i.budget.Used()}
	case errors.Is(err, meter.ErrStack):
		return &StackError{i.budget.Used()}
	case exits:
		return i.failed(&ExitError{exit.ExitCode()})
	default:
		return i.failed(&Trap{trapText(err)})
	}
}

// failed is how a guest has ended by itself, and whether want of memory can be why.
func (i *Instance) failed(end error) error {
	if i.space.Denied() {
		return &MemoryError{i.module.size(), i.budget.Used(), end}
	}
	return end
}

// maxTrapText is the longest text of a trap, in bytes.
const maxTrapText = 300

// trapText is the first line of what wazero says: the stack below it has no names.
func trapText(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.TrimSuffix(strings.TrimPrefix(line, "wasm error: "), " (recovered by wazero)")
	line = strings.TrimPrefix(line, "trap: ") // of a component
	line = strings.ToValidUTF8(line, "?")
	return "trap: " + line[:min(len(line), maxTrapText)]
}

// isOfFiles tells what is wrong with the disk from what is wrong with the module.
func isOfFiles(err error) bool {
	var (
		path    *os.PathError
		link    *os.LinkError
		syscall *os.SyscallError
	)
	return errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &syscall)
}

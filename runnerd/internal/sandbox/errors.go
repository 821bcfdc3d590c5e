package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/realm-mesh/realm/engine/meter"
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
	return fmt.Sprintf("deadline of %d ms passed: make the program faster, or give it a larger --epoch-ms", e.After.Milliseconds())
}

// WithDeadline returns a context that ends after d with a [*DeadlineError].
func WithDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, &DeadlineError{d})
}

// FuelError says that a program has used more than it may.
type FuelError struct{ Limit uint64 }

func (e *FuelError) Error() string {
	return fmt.Sprintf("out of fuel after %d units: have the program do less, or give it a larger --fuel", e.Limit)
}

// error translates what wazero says of a call into the errors of this package: nil where
// it returned, the cause of ctx where that has ended, else an [*ExitError], a [*FuelError]
// or a [*Trap]. A guest that has failed after the end of ctx failed because of it: its
// streams and its sleep fail then, too.
func (i *Instance) error(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, meter.ErrDeadline) {
		<-ctx.Done() // any moment: the clock was faster than its timer
	}
	var exit *sys.ExitError
	switch exits := errors.As(err, &exit); {
	case exits && exit.ExitCode() == 0:
		return &ExitError{0}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, meter.ErrFuel):
		return &FuelError{i.fuel}
	case errors.Is(err, meter.ErrStack):
		return &Trap{"trap: stack overflow"}
	case exits:
		return &ExitError{exit.ExitCode()}
	default:
		return &Trap{trapText(err)}
	}
}

// maxTrapText is the longest text of a trap, in bytes.
const maxTrapText = 300

// trapText is the first line of what wazero says: the stack below it has no names.
func trapText(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.TrimSuffix(strings.TrimPrefix(line, "wasm error: "), " (recovered by wazero)")
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

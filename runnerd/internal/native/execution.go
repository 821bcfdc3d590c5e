package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/realm-mesh/realm/internal/kit/lockfile"
)

// Execution is one that was started here or by a runnerd before. It is safe for use by
// several goroutines.
type Execution struct {
	dir   string
	state State
}

// Patience with a shim.
const (
	beginPatience = 5 * time.Second // until it listens
	endPatience   = 5 * time.Second // between the end of its stream and its own
)

// Attach finds the execution in a folder again: one that runs, or that has ended with a
// result. [ErrLost]: its shim has gone without one; what it left has been killed and
// removed. [ErrNone]: none was started there.
func Attach(dir string) (*Execution, error) {
	e := &Execution{dir: dir}
	lock, err := lockfile.Try(LockPath(dir))
	if errors.Is(err, lockfile.ErrHeld) {
		return e.begun()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone // nor is there a folder
	}
	if err != nil {
		return nil, fmt.Errorf("attach to an execution: %w", err)
	}
	defer lock.Release()
	err = read(dir, stateFile, &e.state)
	if _, ended := ReadResult(dir); ended == nil {
		return e, nil
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNone
	case err != nil: // the machine went down while it was written
		return nil, fmt.Errorf("%w; %w", ErrLost, err)
	}
	return e.gone()
}

// begun waits for a shim that lives to have written its state.
func (e *Execution) begun() (*Execution, error) {
	for deadline := time.Now().Add(beginPatience); ; time.Sleep(10 * time.Millisecond) {
		err := read(e.dir, stateFile, &e.state)
		if _, ended := ReadResult(e.dir); err == nil || ended == nil {
			return e, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			return nil, fmt.Errorf("attach to an execution that is starting: %w", err)
		}
	}
}

// gone tells an execution whose shim has ended from one that is lost. The caller holds
// its lock.
func (e *Execution) gone() (*Execution, error) {
	_, err := ReadResult(e.dir)
	if err == nil {
		return e, nil // it came while nobody looked
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	os.Remove(SocketPath(e.dir))
	if err := e.state.Clean(); err != nil {
		return nil, fmt.Errorf("%w; %w", ErrLost, err)
	}
	return nil, ErrLost
}

// Dir is the folder of the execution.
func (e *Execution) Dir() string { return e.dir }

// Log is the path of its log; package logs reads it.
func (e *Execution) Log() string { return LogPath(e.dir) }

// Started is when it was started.
func (e *Execution) Started() time.Time { return e.state.Started }

// Confinement is what holds for it.
func (e *Execution) Confinement() Confinement { return e.state.Confinement }

// Wait waits for the end of the execution. [ErrLost]: there is no result, and nothing of
// the program runs any more.
func (e *Execution) Wait(ctx context.Context) (Result, error) {
	if err := e.Follow(ctx, func() {}); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	lock, err := lockfile.Wait(ctx, LockPath(e.dir))
	if err != nil {
		return Result{}, fmt.Errorf("wait for the end of a shim: %w", err)
	}
	defer lock.Release()
	if _, err := e.gone(); err != nil {
		return Result{}, err
	}
	return ReadResult(e.dir)
}

// Follow calls grown at first, as the log may have grown before, and each time that it has
// grown, often once for several lines, until the execution ends or ctx does, which is an
// error.
func (e *Execution) Follow(ctx context.Context, grown func()) error {
	conn, err := dial(e.dir)
	if err != nil {
		return ctx.Err() // it has ended: who waits looks at the result
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	grown()
	for b := make([]byte, 64); ; {
		if _, err := conn.Read(b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return nil // however the stream ends, the shim has
		}
		grown()
	}
}

// Stop asks the program to end (TERM), and kills all of it after grace. It returns once
// the shim has taken the order; Wait tells the end. One that has ended is no error.
func (e *Execution) Stop(grace time.Duration) error {
	conn, err := dial(e.dir)
	if err != nil {
		if _, ended := ReadResult(e.dir); ended == nil {
			return nil
		}
		return fmt.Errorf("stop an execution: %w", err)
	}
	defer conn.Close()
	ms := max(0, grace.Milliseconds())
	if err := conn.SetDeadline(time.Now().Add(endPatience)); err != nil {
		return fmt.Errorf("stop an execution: %w", err)
	}
	if err := json.NewEncoder(conn).Encode(Control{StopMillis: &ms}); err != nil && !closed(err) {
		return fmt.Errorf("stop an execution: %w", err)
	}
	_ = conn.CloseWrite()
	// The shim closes the connection when it has read the order.
	if _, err := io.Copy(io.Discard, conn); err != nil && !closed(err) {
		return fmt.Errorf("stop an execution: %w", err)
	}
	return nil
}

// closed reports whether a connection was closed by the other side.
func closed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

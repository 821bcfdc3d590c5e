package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// OutputError says that what a command wrote is no result.
type OutputError struct{ Text string }

func (e *OutputError) Error() string { return e.Text }

// FailedError says that a command has ended without a result, and wraps how.
type FailedError struct {
	Err  error
	Tail []string // the last lines that this call wrote to its standard error
}

func (e *FailedError) Error() string {
	if exit := new(engine.ExitError); errors.As(e.Err, &exit) {
		return fmt.Sprintf("%v: a command that has a result ends with code 0", e.Err)
	}
	return e.Err.Error()
}

// Unwrap returns how it has ended.
func (e *FailedError) Unwrap() error { return e.Err }

// callText runs the command once: its argument is the standard input, and what it
// writes to its standard output the result.
func (f *Function) callText(ctx context.Context, args []json.RawMessage) (json.RawMessage, error) {
	in, err := input(args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := engine.WithDeadline(ctx, f.deadline)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out := &output{stop: stop}
	last := new(logs.Tail)
	complaints := f.log.WriterOf(logs.Stderr, last)
	err = f.module.Run(ctx, engine.Env{Args: f.args, Stdin: strings.NewReader(in), Stdout: out, Stderr: complaints,
		Fuel: f.fuel, Used: f.account.Used, Holds: f.account.Holds})
	complaints.Flush()
	text, bad := out.close()
	switch {
	case bad != nil:
		return nil, bad
	case err != nil:
		return nil, &FailedError{program.Advise(err), last.Lines()}
	}
	return quote(text)
}

// quote makes a JSON string of what a command wrote, byte for byte.
func quote(text []byte) (json.RawMessage, error) {
	if at := invalid(text); at >= 0 {
		return nil, &OutputError{fmt.Sprintf("byte %d of its standard output is no UTF-8, and a result is text: have it write bytes as text, such as base64", at+1)}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(string(text)); err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// invalid is where the first byte stands that is no UTF-8; -1: nowhere.
func invalid(b []byte) int {
	for at := 0; at < len(b); {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// output is the standard output of a command, up to the size of a result.
type output struct {
	stop func(error) // ends the command

	mu   sync.Mutex
	text []byte
	bad  error // why nothing more is taken
}

// errOver is what a command's output says when its call is over.
var errOver = errors.New("the call is over")

// Write implements [io.Writer]. An error ends the command.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bad == nil && len(p) > api.MaxText-len(o.text) {
		o.bad = &OutputError{fmt.Sprintf("it wrote more than %d KiB to its standard output, the most that a result may have: have it say less, or push a web program with realm push, whose answers are streamed", api.MaxText>>10)}
		o.stop(o.bad)
	}
	if o.bad != nil {
		return 0, o.bad
	}
	o.text = append(o.text, p...)
	return len(p), nil
}

// close takes nothing more, and returns what was written, or why it is no result.
func (o *output) close() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, bad := o.text, o.bad
	o.bad = errOver
	return text, bad
}

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// app is one run of the command line: where it writes, and its global flags.
type app struct {
	in        *os.File // nil: there is nobody to ask
	out, err  io.Writer
	kill      chan struct{} // closed by the second Ctrl-C
	hearsKill atomic.Bool   // the running command listens to kill

	homeDir        string
	json           bool
	timeout        time.Duration
	passphraseFile string
	grantFile      string
	contextName    string
	nodeAddr       string

	settled *where            // what they come to, once it is known
	key     *owner.Key        // of this account, once it was needed
	event   func(v any) error // prints JSON in the place of documents of their own; nil: it does not
	hinted  bool              // what to do next was told before
	moved   func()            // says that something has moved, where a command ends when nothing does
}

// home is the folder of the node on this machine that the command is about.
func (a *app) home() (paths.Home, error) {
	w, err := a.where()
	if err != nil {
		return paths.Home{}, err
	}
	return paths.Open(w.home)
}

// print writes v as JSON, or has text write what a person reads.
func (a *app) print(v any, text func()) error {
	if !a.json {
		text()
		return nil
	}
	if a.event != nil {
		return a.event(v)
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// say prints a line for people; with --json there are none.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

// note prints a line for people beside the result.
func (a *app) note(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// timeoutError is the cause of a context that --timeout has ended.
type timeoutError struct{ after time.Duration }

// Is makes it a [context.DeadlineExceeded] to whoever asks.
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("it took longer than %s (--timeout)", e.after)
}

// bounded gives fn a context that ends after --timeout.
func (a *app) bounded(fn func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), a.timeout, &timeoutError{a.timeout})
		defer cancel()
		return because(ctx, fn(ctx, cmd, args))
	}
}

// open is [app.bounded] for commands that go on until --timeout was given.
func (a *app) open(fn func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("timeout") {
			return a.bounded(fn)(cmd, args)
		}
		return fn(cmd.Context(), cmd, args)
	}
}

// because adds to an error that the end of ctx has led to what ended it.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || errors.Is(err, cause) {
		return err
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}

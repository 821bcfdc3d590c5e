package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of realm.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	// ExitChanges is that of realm diff --exit-code where there is something to change.
	ExitChanges = 3
)

// errChanges ends realm diff --exit-code: there is nothing to complain about.
var errChanges = errors.New("there is something to change")

// errInterrupted is the cause of a context that Ctrl-C or SIGTERM has ended.
var errInterrupted = errors.New("interrupted")

// Main runs realm with args and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	a := &app{in: os.Stdin, out: stdout, err: stderr, kill: make(chan struct{})}
	ctx, stop := a.signals(context.Background())
	defer stop()
	err := a.run(ctx, args)
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errChanges):
		return ExitChanges
	}
	var program *exec.ExitError // of realm run, which has said all there is to say
	if errors.As(err, &program) {
		return max(program.ExitCode(), ExitFailed)
	}
	a.complain(err)
	var usage *usageError
	if errors.As(err, &usage) {
		return ExitUsage
	}
	return ExitFailed
}

// signals returns a context that the first Ctrl-C or SIGTERM ends; the second
// closes a.kill, and ends the process where a command does not listen to that.
func (a *app) signals(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for count := 1; ; count++ {
			select {
			case <-done:
				return
			case <-got:
			}
			switch {
			case count == 1:
				cancel(errInterrupted)
			case !a.hearsKill.Load():
				os.Exit(ExitFailed)
			case count == 2:
				close(a.kill)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel(nil)
	}
}

func (a *app) run(ctx context.Context, args []string) error {
	root := newRoot(a) //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	// cobra answers the shell's questions by commands that it adds only later.
	completing := len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
	if _, _, err := root.Find(args); err != nil && !completing {
		return &usageError{err, root}
	}
	return root.ExecuteContext(ctx)
}

// complain tells a person, or a program, what went wrong.
func (a *app) complain(err error) {
	if a.json {
		var e struct {
			Error string `json:"error"`
		}
		e.Error = err.Error()
		_ = json.NewEncoder(a.err).Encode(e) // nobody is left to tell
		return
	}
	for _, line := range strings.Split("realm: "+strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintln(a.err, printable(line))
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.cmd != nil {
		fmt.Fprintf(a.err, "See: %s --help\n", usage.cmd.CommandPath())
	}
}

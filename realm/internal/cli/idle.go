package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// idleError is the cause of a context that has ended because nothing moved.
type idleError struct{ after time.Duration }

// Is makes it a [context.DeadlineExceeded] to whoever asks.
func (e *idleError) Is(target error) bool { return target == context.DeadlineExceeded }

func (e *idleError) Error() string {
	return fmt.Sprintf("nothing has moved for %s; with --timeout it goes on for as long as that says", e.after)
}

// moving is [app.bounded] for commands that move many bytes, which may take hours:
// unless --timeout was given they end when nothing has moved for as long as it says.
func (a *app) moving(fn func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("timeout") {
			return a.bounded(fn)(cmd, args)
		}
		return a.whileMoving(cmd.Context(), a.timeout, func(ctx context.Context) error { return fn(ctx, cmd, args) })
	}
}

// whileMoving gives fn a context that ends when [app.moves] was not called for long.
func (a *app) whileMoving(ctx context.Context, long time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(long, func() { cancel(&idleError{long}) })
	defer idle.Stop()
	a.moved = func() { idle.Reset(long) }
	return because(ctx, fn(ctx))
}

// moves says that something has moved.
func (a *app) moves() {
	if a.moved != nil {
		a.moved()
	}
}

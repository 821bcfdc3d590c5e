package node

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// finalError ends [Until] at once.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// Final marks an error that trying again will not mend.
func Final(err error) error { return finalError{err} }

const untilEvery = 50 * time.Millisecond

// Until tries again until try succeeds, ctx ends or the error is [Final]. The
// error names what was waited for and what stood in the way last.
func Until(ctx context.Context, what string, try func(context.Context) error) error {
	var last error
	for {
		err := try(ctx)
		var final finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return fmt.Errorf("wait for %s: %w", what, err)
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last: %w", what, ctx.Err(), errors.Join(last))
		case <-time.After(untilEvery):
		}
	}
}

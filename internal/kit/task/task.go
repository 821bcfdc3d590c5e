// Package task runs the goroutines of a daemon as one group: the first that
// fails, or panics, stops the others, and nothing outlives the group.
package task

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// Run starts every function in a goroutine of its own and returns when all have
// ended: the first error, a panic turned into one, or nil. When one ends with an
// error the context of the others is cancelled; one that ends with nil leaves
// the others running.
func Run(ctx context.Context, fns ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, fn := range fns {
		g.Go(func() error { return Guard(ctx, fn) })
	}
	return g.Wait()
}

// Guard calls fn and turns a panic into an error that holds the stack.
func Guard(ctx context.Context, fn func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx)
}

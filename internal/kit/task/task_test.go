package task

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

func untilEnd(ctx context.Context) error { <-ctx.Done(); return nil }
func nothing(context.Context) error      { return nil }
func fail(context.Context) error         { return errBroken }
func panics(context.Context) error       { panic("boom") }

func TestRun(t *testing.T) {
	tests := []struct {
		name string
		fns  []func(context.Context) error
		is   error
		text string
	}{
		{"none", nil, nil, ""},
		{"all end well", []func(context.Context) error{nothing, nothing}, nil, ""},
		{"one fails, the others are told", []func(context.Context) error{untilEnd, fail, untilEnd}, errBroken, "broken"},
		{"one panics, the others are told", []func(context.Context) error{untilEnd, panics}, nil, "panic: boom"},
		{"the first error counts", []func(context.Context) error{fail, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, errBroken, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Run(t.Context(), tt.fns...)
			if (err != nil) != (tt.text != "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %q", err, tt.text)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

// One that ends well leaves the others running; Run waits for the last.
func TestRunWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := Run(t.Context(), nothing, func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return ctx.Err()
		})
		if err != nil || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, untilEnd, untilEnd, func(context.Context) error { cancel(); return nil })
	if err != nil {
		t.Error(err)
	}
}

func TestGuard(t *testing.T) {
	if err := Guard(t.Context(), fail); !errors.Is(err, errBroken) {
		t.Errorf("an error: %v", err)
	}
	err := Guard(t.Context(), panics)
	if err == nil || !strings.Contains(err.Error(), "panic: boom") || !strings.Contains(err.Error(), "task_test.go") {
		t.Errorf("a panic: %v; want the place where it was", err)
	}
}

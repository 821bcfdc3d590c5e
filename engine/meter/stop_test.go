package meter

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/internal/zoo"
)

// instance makes an instance, and a budget of fuel that counts it.
func instance(t *testing.T, c wazero.RuntimeConfig, module []byte, fuel uint64) (context.Context, *Budget, api.Module) {
	t.Helper()
	b := NewBudget(fuel)
	ctx := WithBudget(t.Context(), b)
	r := wazero.NewRuntimeWithConfig(ctx, c)
	t.Cleanup(func() { r.Close(context.WithoutCancel(ctx)) })
	if err := Define(ctx, r); err != nil {
		t.Fatal(err)
	}
	metered, err := Instrument(module, Options{Features: features})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, metered)
	if err != nil {
		t.Fatal(err)
	}
	b.Add(m)
	return ctx, b, m
}

// TestEndless has guests that never end meet their deadline, a cancellation, and the end of
// their fuel.
func TestEndless(t *testing.T) {
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		for name, module := range zoo.With(zoo.Runs) {
			t.Run(name, func(t *testing.T) {
				const after = 30 * time.Millisecond
				ctx, b, m := instance(t, c, module, 0)
				f := m.ExportedFunction("f")
				late, cancel := context.WithTimeout(ctx, after)
				defer cancel()
				if _, err := f.Call(late); !errors.Is(err, ErrDeadline) {
					t.Errorf("after its deadline: %v", err)
				}
				stopped, stop := context.WithCancel(ctx)
				time.AfterFunc(after, stop)
				if _, err := f.Call(stopped); !errors.Is(err, ErrCanceled) || !errors.Is(err, context.Canceled) {
					t.Errorf("after it was canceled: %v", err)
				}
				if b.Used() == 0 {
					t.Error("it has used nothing")
				}
				ctx, b, m = instance(t, c, module, 1_000_000)
				if _, err := m.ExportedFunction("f").Call(ctx); !errors.Is(err, ErrFuel) {
					t.Errorf("without fuel: %v", err)
				}
				if used := b.Used(); used < 1_000_000-Slice {
					t.Errorf("out of fuel after %d units", used)
				}
			})
		}
	})
}

// TestDeep has guests that call themselves for ever meet the end of their stack, with
// little of the host's memory gone, and be fit for calls again.
func TestDeep(t *testing.T) {
	for name, module := range zoo.With(zoo.Recurses) {
		t.Run(name, func(t *testing.T) {
			ctx, _, m := instance(t, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(wazeroFeatures), module, 0)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 10 {
				if _, err := m.ExportedFunction("f").Call(ctx); !errors.Is(err, ErrStack) {
					t.Fatalf("without end: %v", err)
				}
				Recover(m, Options{})
			}
			runtime.ReadMemStats(&after)
			// wazero doubles its stack until it is large enough.
			if took := after.TotalAlloc - before.TotalAlloc; took > 10*8*defaultStack {
				t.Errorf("ten calls took %d bytes of the host", took)
			}
		})
	}
}

// TestGreedy has a guest take memory until there is no more.
func TestGreedy(t *testing.T) {
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		ctx, b, m := instance(t, c.WithMemoryLimitPages(256), zoo.With(zoo.Grows)["memory-grow"], 0)
		got, err := m.ExportedFunction("f").Call(ctx)
		if err != nil || got[0] != 193 || b.Used() < 192*256 {
			t.Errorf("%d pages for %d units, %v; want 1 + 3 · 64, and 256 units for each", got, b.Used(), err)
		}
	})
}

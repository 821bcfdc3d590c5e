package canon_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// coreFunc is a core function whose body is Go, so that a test says what the guest does.
type coreFunc struct {
	api.Function
	body func(ctx context.Context, stack []uint64) error
}

func (f coreFunc) CallWithStack(ctx context.Context, stack []uint64) error {
	return f.body(ctx, stack)
}

func core(body func(ctx context.Context, stack []uint64) error) api.Function {
	return coreFunc{body: body}
}

// pages instantiates a module that is a memory.
func pages(t testing.TB, n uint32) api.Memory {
	t.Helper()
	return instantiate(t, wasmtest.Module{MinPages: n}).Memory()
}

func instantiate(t testing.TB, m wasmtest.Module) api.Module {
	t.Helper()
	return start(t, m, wazero.NewRuntimeConfigInterpreter())
}

// compiled is for what is measured.
func compiled(t testing.TB, m wasmtest.Module) api.Module {
	t.Helper()
	return start(t, m, wazero.NewRuntimeConfig())
}

func start(t testing.TB, m wasmtest.Module, c wazero.RuntimeConfig) api.Module {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, c)
	t.Cleanup(func() { r.Close(ctx) })
	mod, err := r.Instantiate(ctx, m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

func plan(t testing.TB, result *wit.Type, params ...*wit.Type) *canon.Func {
	t.Helper()
	f := &wit.Func{Result: result}
	for _, p := range params {
		f.Params = append(f.Params, wit.Field{Name: "p", Type: p})
	}
	out, err := canon.NewPlanner().Func(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func isTrap(err error) bool {
	var t *canon.Trap
	return errors.As(err, &t)
}

func prim(k wit.Kind) *wit.Type { return &wit.Type{Kind: k} }

func list(of *wit.Type) *wit.Type { return &wit.Type{Kind: wit.List, Elem: of} }

package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// TestLinkedFramesCount has a guest call itself by way of a function that it imports: the
// frames of that are taken off its stack where the module is linked to others, whose name
// for the function is another.
func TestLinkedFramesCount(t *testing.T) {
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		module := wasmtest.Module{
			Imports:  []wasmtest.Import{{Module: "env", Name: "again"}},
			Funcs:    []wasmtest.Func{{Export: "f", Code: []byte{0x10, 0}}},
			MinPages: 1,
		}.Bytes()
		rename := func(i int) (module, name string) {
			if i != 0 {
				t.Errorf("import %d is to be renamed", i)
			}
			return "other", "g"
		}
		ctx := WithBudget(t.Context(), NewBudget(0))
		r := wazero.NewRuntimeWithConfig(ctx, c)
		defer r.Close(context.WithoutCancel(ctx))
		depth := 0
		again := func(ctx context.Context, m api.Module, _ []uint64) {
			if depth++; depth > 10_000 {
				panic("the stack has no end")
			}
			if _, err := m.ExportedFunction("f").Call(ctx); err != nil {
				panic(err)
			}
		}
		_, err := r.NewHostModuleBuilder("other").NewFunctionBuilder().
			WithGoModuleFunction(api.GoModuleFunc(again), nil, nil).Export("g").Instantiate(ctx)
		if err = errors.Join(err, Define(ctx, r)); err != nil {
			t.Fatal(err)
		}
		metered, err := Instrument(module, Options{Stack: 100 * 1024, Linked: true, Rename: rename})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Instantiate(ctx, metered)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ExportedFunction("f").Call(ctx); !errors.Is(err, ErrStack) {
			t.Errorf("it calls itself for ever: %v", err)
		}
		if depth < 100 || depth > 1100 {
			t.Errorf("%d calls nested: 100 KiB are room for 1,000 frames of about 100 bytes", depth)
		}
	})
}

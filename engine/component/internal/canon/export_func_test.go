package canon_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// The destructor of a real module drops another resource of its own, and so on; at the
// last one the host may fail.
func TestExportMayRunWithinItself(t *testing.T) {
	last := errors.New("the last one")
	for _, want := range []error{nil, last} {
		s := newScene(t, canon.Config{})
		ran := 0
		m := importing(t, func(ctx context.Context, stack []uint64) error {
			ran++
			rep := uint32(stack[0])
			if rep == 0 {
				return want
			}
			index, err := s.a.NewResource(ctx, node, rep-1)
			if err != nil {
				return err
			}
			return s.a.Drop(ctx, node, index)
		})
		s.a.Define(node, canon.Export(m, "dtor"))
		for n := range 2 {
			index, err := s.a.NewResource(t.Context(), node, 9)
			if err != nil {
				t.Fatal(err)
			}
			ran = 0
			switch err := s.a.Drop(t.Context(), node, index); {
			case want != nil && n == 1:
				s.wantTrap("destructor after one that failed", err)
			case !errors.Is(err, want) || ran != 10:
				t.Errorf("%d destructors ran: %v, want %v", ran, err, want)
			case want == nil:
				if rep, _ := m.Memory().ReadUint32Le(0); rep != 9 {
					t.Errorf("the outermost destructor goes on with %d, want its rep", rep)
				}
			}
		}
	}
}

// importing is a module whose dtor calls what it imports, and then stores its argument at 0.
func importing(t *testing.T, body func(ctx context.Context, stack []uint64) error) api.Module {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { r.Close(ctx) })
	_, err := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
		if err := body(ctx, stack); err != nil {
			panic(err)
		}
	}), []api.ValueType{api.ValueTypeI32}, nil).Export("drop").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, wasmtest.Module{
		Imports:  []wasmtest.Import{{Module: "env", Name: "drop", Params: i32s(1)}},
		Funcs:    []wasmtest.Func{{Export: "dtor", Params: i32s(1), Code: []byte{0x20, 0, 0x10, 0, 0x41, 0, 0x20, 0, 0x36, 2, 0}}},
		MinPages: 1,
	}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExportOfNothing(t *testing.T) {
	m := compiled(t, guest())
	if canon.Export(m, "nothing") != nil {
		t.Error("there is a function that the module does not export")
	}
	results, err := canon.Export(m, "add").Call(t.Context(), 1, 2)
	if err != nil || len(results) != 1 || results[0] != 3 {
		t.Errorf("got %v: %v", results, err)
	}
}

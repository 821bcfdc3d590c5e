package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// TestChargesOfTheHost: what a function of the host charges counts like what the guest
// runs, at once and to the unit, also where the guest keeps its fuel in a local.
func TestChargesOfTheHost(t *testing.T) {
	const rounds, price = 1000, 777
	loop := wasmtest.Module{
		Imports: []wasmtest.Import{{Module: "host", Name: "work", Results: []byte{wasmtest.I32}}},
		Funcs:   []wasmtest.Func{{Export: "f", Code: []byte{0x03, 0x40, 0x10, 0, 0x0d, 0, 0x0b}}}, // loop call 0 br_if 0 end
	}.Bytes()
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		for _, fuel := range []uint64{0, 500_000} {
			b := NewBudget(fuel)
			ctx := WithBudget(t.Context(), b)
			r := wazero.NewRuntimeWithConfig(ctx, c)
			defer r.Close(ctx)
			left, seen := rounds, []uint64(nil)
			work := func(ctx context.Context, m api.Module, stack []uint64) {
				b := FromContext(ctx)
				if err := b.Check(ctx); err != nil {
					panic(err)
				}
				b.Charge(price)
				seen = append(seen, b.Used())
				b.Settle(m)
				left--
				stack[0] = uint64(left)
			}
			_, err := r.NewHostModuleBuilder("host").NewFunctionBuilder().
				WithGoModuleFunction(api.GoModuleFunc(work), nil, []api.ValueType{api.ValueTypeI32}).Export("work").Instantiate(ctx)
			if err := errors.Join(err, Define(ctx, r)); err != nil {
				t.Fatal(err)
			}
			module, err := Instrument(loop, Options{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := r.Instantiate(ctx, module)
			if err != nil {
				t.Fatal(err)
			}
			b.Add(m)
			_, err = m.ExportedFunction("f").Call(ctx)
			const round = price + 2 // call, br_if
			switch {
			case fuel == 0 && (err != nil || left != 0 || b.Used() != rounds*round):
				t.Errorf("%v, %d rounds left, %d units used", err, left, b.Used())
			case fuel > 0 && (!errors.Is(err, ErrFuel) || b.Used() < fuel || b.Used() > fuel+round):
				t.Errorf("with %d units: %v after %d, %d rounds left", fuel, err, b.Used(), left)
			}
			for i, used := range seen {
				// A block is paid at its begin.
				if want := uint64((i + 1) * round); used != want {
					t.Fatalf("in round %d it has used %d units, want %d", i, used, want)
				}
			}
		}
	})
}

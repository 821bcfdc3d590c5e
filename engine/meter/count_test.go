package meter

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// counter counts the fuel of modules in the plainest way: a call of the host before each
// instruction, with its cost.
type counter struct {
	used int64
	most int64 // after which the guest is ended; 0: never
}

var errSlow = errors.New("counted enough")

func (c *counter) define(ctx context.Context, r wazero.Runtime) error {
	fn := api.GoFunc(func(_ context.Context, stack []uint64) {
		if c.used += int64(stack[0]); c.most > 0 && c.used > c.most {
			panic(errSlow)
		}
	})
	_, err := r.NewHostModuleBuilder(ImportModule).NewFunctionBuilder().
		WithGoFunction(fn, []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(importRefill).Instantiate(ctx)
	return err
}

// counted is a module that calls a [counter].
func counted(b []byte) ([]byte, error) {
	m, err := wasm.Decode(b, features, DefaultCaps())
	if err != nil {
		return nil, err
	}
	x := newModule(m, Options{})
	x.body = func(i int) []byte { return slowly(x, i) }
	return x.encode(len(b)), nil
}

func slowly(x *module, i int) []byte {
	b := &x.Bodies[i]
	spare := uint32(len(x.Types[x.Funcs[int(x.refill)+i]].Params))
	out := code(u32(nil, uint32(len(b.Locals)+1)))
	for _, l := range b.Locals {
		out = append(u32(out, l.Count), byte(l.Type))
		spare += l.Count
	}
	out.op(1, byte(wasm.I32))
	count := func() {
		out.with(opCall, x.refill)
		out.op(opDrop)
	}
	for s := b.Instrs(x.Module); ; {
		in, ok := s.Next()
		if !ok {
			return out
		}
		free := map[wasm.Op]bool{wasm.OpNop: true, wasm.OpDrop: true, wasm.OpBlock: true, wasm.OpLoop: true, wasm.OpElse: true,
			wasm.OpEnd: true, wasm.OpReturn: true, wasm.OpUnreachable: true}
		if !free[in.Op] {
			out.i64(1)
			count()
		}
		per, byLength := map[wasm.Op][2]int64{wasm.OpMemoryGrow: {256, 1}, wasm.OpMemoryInit: {1, 32}, wasm.OpMemoryFill: {1, 32}, wasm.OpMemoryCopy: {1, 32},
			wasm.OpTableInit: {1, 1}, wasm.OpTableCopy: {1, 1}, wasm.OpTableGrow: {1, 1}, wasm.OpTableFill: {1, 1}}[in.Op]
		if byLength {
			out.with(opLocalTee, spare)
			out.with(opLocalGet, spare)
			out.op(opI64ExtU)
			out.i64(per[0])
			out.op(0x7e) // i64.mul
			out.i64(per[1])
			out.op(0x80) // i64.div_u
			count()
		}
		switch in.Op {
		case wasm.OpCall, wasm.OpReturnCall, wasm.OpRefFunc:
			out.with(byte(in.Op), x.moved(in.Index))
		default:
			out = append(out, b.Code[in.Pos:in.End]...)
		}
	}
}

// TestFuelIsExact holds the meters against a counter of every instruction, on all that the
// tests of the specification run.
func TestFuelIsExact(t *testing.T) {
	dir := suiteDir(t, "v2")
	scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(scripts) == 0 {
		t.Fatal(err)
	}
	config := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(wazeroFeatures)
	steps, total := 0, int64(0)
	for _, s := range scripts {
		script := filepath.Base(s)
		fast, slow := newSpec(t, dir, script, config, true), newSlowSpec(t, dir, script, config)
		ghosts := false
		for i, c := range fast.commands() {
			switch c.Type {
			case "module", "action", "assert_return", "assert_unlinkable", "assert_uninstantiable":
			default:
				if c.Type != "assert_trap" && c.Type != "assert_exhaustion" {
					continue
				}
				// What a block costs is taken at its begin: what has trapped is not compared.
				if c.Type == "assert_trap" {
					fast.step(c)
					slow.step(c)
				}
				continue
			}
			before, slowly := fast.budget.Used(), slow.slow.used
			fast.step(c)
			slow.step(c)
			if c.Type == "assert_unlinkable" || c.Type == "assert_uninstantiable" {
				ghosts = ghosts || script == "linking.json"
				continue
			}
			steps++
			got, want := int64(fast.budget.Used()-before), slow.slow.used-slowly
			total += want
			// Functions of a module that was not made whole can be left in a table of another.
			// They are counted from where they ask for fuel on.
			if got != want && (!ghosts || got > want) {
				t.Errorf("%s:%d (step %d): %s: %d units, counted one by one %d", script, c.Line, i, c.Action.Field, got, want)
			}
		}
		if err := errors.Join(fast.r.Close(t.Context()), slow.r.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d steps, %d units", steps, total)
	if steps < 40_000 || total < 1_000_000 {
		t.Errorf("%d steps, %d units: that is less than there was", steps, total)
	}
}

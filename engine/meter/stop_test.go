package meter

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostile are functions, without parameters and results, that never end by themselves, or
// not for very long, in a module with a memory and a table.
var hostile = map[string][]byte{
	// (loop (br 0))
	"a loop": {opLoop, noType, opBr, 0, opEnd, opEnd},
	// (loop (br_if 0 (i32.const 1)))
	"a loop with a condition": {opLoop, noType, opI32Const, 1, opBrIf, 0, opEnd, opEnd},
	// (loop (br_table 0 0 (i32.const 5)))
	"a loop by a table": {opLoop, noType, opI32Const, 5, opBrTable, 1, 0, 0, opEnd, opEnd},
	// (i32.const 1) (loop (param i32) (result i32) (br 0)): block type 1
	"a loop with a parameter": {opI32Const, 1, opLoop, 1, opBr, 0, opEnd, opDrop, opEnd},
	// (loop (loop (br 1)))
	"a loop in a loop": {opLoop, noType, opLoop, noType, opBr, 1, opEnd, opEnd, opEnd},
	// (return_call 0)
	"tail calls of itself": {0x12, 0, opEnd},
	// (memory.fill …) of nearly 64 MiB, for ever
	"memory.fill": {opLoop, noType, opI32Const, 0, opI32Const, 1, opI32Const, 0xff, 0xff, 0xff, 0x1f, opMisc, 0x0b, 0, opBr, 0, opEnd, opEnd},
	"memory.copy": {opLoop, noType, opI32Const, 1, opI32Const, 0, opI32Const, 0xff, 0xff, 0xff, 0x1f, opMisc, 0x0a, 0, 0, opBr, 0, opEnd, opEnd},
	// (table.fill 0 (ref.null func) 1000000), for ever
	"table.fill": {opLoop, noType, opI32Const, 0, 0xd0, 0x70, opI32Const, 0xc0, 0x84, 0x3d, opMisc, 17, 0, opBr, 0, opEnd, opEnd},
	"table.copy": {opLoop, noType, opI32Const, 0, opI32Const, 0, opI32Const, 0xc0, 0x84, 0x3d, opMisc, 14, 0, 0, opBr, 0, opEnd, opEnd},
}

// deep is a tree of calls without a loop: function i calls i+1 twice. 2^60 calls.
func deep() (bodies [][]byte) {
	for i := range byte(60) {
		bodies = append(bodies, []byte{opCall, i + 1, opCall, i + 1, opEnd})
	}
	return append(bodies, []byte{opEnd})
}

// hostileModule has the bodies as its functions, and exports the first.
func hostileModule(bodies ...[]byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, body ...byte) { b = append(u32(append(b, id), uint32(len(body))), body...) }
	section(secType, 2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f)
	section(secFunction, append([]byte{byte(len(bodies))}, make([]byte, len(bodies))...)...)
	section(secTable, 1, 0x70, 0, 0xc0, 0x84, 0x3d)
	section(secMemory, 1, 0, 0x80, 0x08) // 64 MiB
	section(secExport, 1, 1, 'f', 0, 0)
	code := []byte{byte(len(bodies))}
	for _, f := range bodies {
		code = append(u32(code, uint32(len(f)+1)), append([]byte{0}, f...)...)
	}
	section(secCode, code...)
	return b
}

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

func TestHostileGuestsEnd(t *testing.T) {
	modules := map[string][]byte{"a tree of calls": hostileModule(deep()...)}
	for name, body := range hostile {
		modules[name] = hostileModule(body)
	}
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		for name, module := range modules {
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

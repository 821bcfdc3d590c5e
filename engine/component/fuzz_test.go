package component

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-mesh/realm/engine/meter"
)

// smallSeed is the largest of the components that begin a search, in bytes: of larger ones the
// search would see few variants.
const smallSeed = 64 << 10

// FuzzComponent looks for bytes that panic, that take much more of who reads them than they
// are, or that are taken and then cannot be compiled and linked.
func FuzzComponent(f *testing.F) {
	if _, err := host(); err != nil { // once for all
		f.Fatal(err)
	}
	for _, of := range []string{"testdata/*.wasm", "testdata/text/*.wasm", "internal/*/testdata/*.wasm", "internal/*/testdata/*/*.wasm", "../../samples/*/*.wasm"} {
		files, err := filepath.Glob(of)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(b) <= smallSeed {
				f.Add(b)
			}
		}
	}
	for _, of := range hostile {
		if b := of(); len(b) <= smallSeed {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		p, err := Parse(b, smallCaps())
		if err != nil {
			return
		}
		units := p.Instrument()
		p.Imports()
		p.Exports()
		// The fuzzer allocates, too, beside this.
		if took, most := allocated()-before, int64(256<<20+100*len(b)); took > most {
			t.Errorf("%d bytes are allocated, more than %d", took, most)
		}
		if len(p.Missing()) > 0 {
			return
		}
		linked(t, p, units)
	})
}

// smallCaps are those of modules that compile soon.
func smallCaps() meter.Caps {
	c := meter.DefaultCaps()
	c.Module, c.Body, c.Locals, c.Funcs, c.Params, c.Globals, c.Tables = 256<<10, 16<<10, 200, 1000, 100, 1000, 10
	return c
}

// linked links a component: its modules are compiled, by the interpreter.
func linked(t *testing.T, p *Parsed, units [][]byte) {
	t.Helper()
	ctx := experimental.WithCompilationWorkers(context.Background(), 1)
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesExtendedConst))
	defer r.Close(ctx)
	if err := meter.Define(ctx, r); err != nil {
		t.Fatal(err)
	}
	compiled := make([]wazero.CompiledModule, len(units))
	for i, unit := range units {
		var err error
		if compiled[i], err = r.CompileModule(ctx, unit); err != nil {
			t.Fatalf("core module %d is not compiled: %v", i, err)
		}
	}
	if _, err := p.Link(ctx, r, compiled); err != nil {
		t.Fatalf("it is not linked: %v", err)
	}
}

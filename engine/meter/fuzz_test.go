package meter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

const (
	fuzzFuel  = 100_000
	fuzzStack = 16 << 10 // met before wazero's own limits
	fuzzPages = 16
)

// ending is what came of a module: of making an instance, and of calling what it exports.
type ending struct {
	calls  []string // results, or the trap that was the end
	used   int64
	memory [sha256.Size]byte
	err    error
}

// deep reports whether there was no room for frames: the ways to run a module differ in
// how many there may be.
func (e ending) deep() bool {
	return errors.Is(e.err, ErrStack) || e.err != nil && strings.Contains(e.err.Error(), "stack overflow")
}

func (e ending) String() string { return fmt.Sprintf("%q, %d units", e.calls, e.used) }

// way is how a module is run.
type way struct {
	config wazero.RuntimeConfig
	define func(context.Context, wazero.Runtime) error
	budget *Budget  // of meters
	slow   *counter // in place of them
}

func metered(c wazero.RuntimeConfig) way {
	return way{config: c, define: Define, budget: NewBudget(fuzzFuel)}
}

func oneByOne() way {
	c := &counter{most: 4 * fuzzFuel}
	return way{config: wazero.NewRuntimeConfigCompiler(), define: c.define, slow: c}
}

func (w way) used() int64 {
	if w.slow != nil {
		return w.slow.used
	}
	return int64(w.budget.Used())
}

// end runs a module, which has a memory or not, and each function that it exports, with
// nothing but zeros.
func (w way) end(t *testing.T, module []byte, memory bool) (e ending) {
	t.Helper()
	ctx, cancel := context.WithTimeout(WithBudget(t.Context(), w.budget), time.Minute)
	defer cancel()
	r := wazero.NewRuntimeWithConfig(ctx, w.config.WithMemoryLimitPages(fuzzPages).WithCoreFeatures(wazeroFeatures))
	defer r.Close(context.WithoutCancel(ctx))
	if err := w.define(ctx, r); err != nil {
		t.Fatal(err)
	}
	compiled, err := r.CompileModule(ctx, module)
	if err != nil {
		t.Fatalf("wazero does not take what came out: %v", err)
	}
	e.err = func() error {
		m, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithStartFunctions())
		if err != nil {
			return err
		}
		if w.budget != nil {
			w.budget.Add(m)
		}
		for _, name := range callable(compiled) {
			f := m.ExportedFunction(name)
			results, err := f.Call(ctx, make([]uint64, len(f.Definition().ParamTypes()))...)
			if err != nil {
				return err
			}
			e.calls = append(e.calls, fmt.Sprint(name, results))
		}
		if mem := m.Memory(); memory {
			all, _ := mem.Read(0, mem.Size())
			e.memory = sha256.Sum256(all)
		}
		return nil
	}()
	if errors.Is(e.err, ErrDeadline) {
		t.Errorf("it ran for a minute: %v", e)
	}
	if e.err != nil {
		trap, _, _ := strings.Cut(e.err.Error(), "\n")
		e.calls = append(e.calls, trap)
	}
	e.used = w.used()
	return e
}

// callable are the exported functions whose parameters and results are numbers.
func callable(m wazero.CompiledModule) (names []string) {
	for name, d := range m.ExportedFunctions() {
		if !slices.ContainsFunc(slices.Concat(d.ParamTypes(), d.ResultTypes()), func(v api.ValueType) bool { return v < api.ValueTypeF64 }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// floats reports whether a module may compute with floats: which bits their not-a-numbers
// have is the engine's choice.
func floats(m *wasm.Module) bool {
	for i := range m.Bodies {
		for s := m.Bodies[i].Instrs(m); ; {
			in, ok := s.Next()
			if !ok {
				break
			}
			switch op := m.Bodies[i].Code[in.Pos]; {
			case op >= 0x5b && op <= 0x66, op >= 0x8b && op <= 0xa6, op >= 0xa8 && op <= 0xab, op >= 0xae && op <= 0xbf, op == 0xfc, op == 0xfd:
				return true
			}
		}
	}
	return false
}

// FuzzInstrument looks for a module that meters change: what it computes, what it leaves
// in its memory, whether it traps; and for one whose fuel is not that of a counter of
// every instruction, or not the same under both engines.
func FuzzInstrument(f *testing.F) {
	small(f, func(b []byte) { f.Add(b) })
	caps := DefaultCaps()
	caps.Module, caps.Body, caps.Elements, caps.Tables, caps.Locals = 1<<16, 1<<12, 10_000, 4, 200
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wasm.Decode(b, features, caps)
		if err != nil || len(m.Imports) > 0 || slices.ContainsFunc(m.Memories, func(l wasm.Limits) bool { return l.Min > fuzzPages }) {
			return
		}
		out, err := Instrument(b, Options{Features: features, Caps: &caps, Stack: fuzzStack})
		if errors.Is(err, ErrReserved) {
			return
		}
		if err != nil {
			t.Fatalf("decoded, and not instrumented: %v", err)
		}
		if _, err := wasm.Decode(out, features, DefaultCaps()); err != nil {
			t.Fatalf("what came out is not valid: %v", err)
		}
		one, err := counted(b)
		if err != nil {
			t.Fatal(err)
		}
		memory := len(m.Memories) > 0
		compiled := metered(wazero.NewRuntimeConfigCompiler()).end(t, out, memory)
		interpreted := metered(wazero.NewRuntimeConfigInterpreter()).end(t, out, memory)
		exact := oneByOne().end(t, one, memory)

		if !compiled.deep() && !interpreted.deep() && !floats(m) && (compiled.String() != interpreted.String() || compiled.memory != interpreted.memory) {
			t.Errorf("compiled: %v; interpreted: %v", compiled, interpreted)
		}
		switch {
		case compiled.deep() || exact.deep():
		case errors.Is(compiled.err, ErrFuel): // what a block costs is taken at its begin
			if exact.err == nil && exact.used <= fuzzFuel {
				t.Errorf("out of fuel, with a need of %v", exact)
			}
		case !slices.Equal(compiled.calls, exact.calls) || compiled.memory != exact.memory:
			t.Errorf("with meters: %v; counted one by one: %v", compiled, exact)
		case compiled.err == nil && compiled.used != exact.used:
			t.Errorf("%d units; counted one by one: %d", compiled.used, exact.used)
		}
	})
}

// small gives the modules of the specification's tests that are small, and import nothing.
func small(t testing.TB, each func([]byte)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(suiteDir(t, "v2"), "*.wasm"))
	if err != nil || len(files) == 0 {
		t.Fatal("no modules", err)
	}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := wasm.Decode(b, features, DefaultCaps()); err == nil && len(m.Imports) == 0 && len(b) < 2048 && i%3 == 0 {
			each(b)
		}
	}
}

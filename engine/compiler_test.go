package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

func newCompiler(t *testing.T) *Compiler {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return NewCompiler(self, t.TempDir())
}

func TestEnsureFillsCache(t *testing.T) {
	parsed, err := Parse(wasmtest.Exit3())
	if err != nil {
		t.Fatal(err)
	}
	c, wasm := newCompiler(t), parsed.Instrument()
	for range 2 {
		if err := c.Ensure(t.Context(), wasm); err != nil {
			t.Fatal(err)
		}
	}
	m, err := New(c.cache).Load(t.Context(), Sum(wasm), Shape{}, wasm, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if err := m.Run(t.Context(), Env{}); err == nil || err.Error() != "exit code 3" {
		t.Error(err)
	}
}

func TestManyWantOneModule(t *testing.T) {
	c, wasm := newCompiler(t), wasmtest.CompileBomb(60)
	ends := make(chan error)
	for range 8 {
		go func() { ends <- c.Ensure(t.Context(), wasm) }()
	}
	for range 8 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if len(c.busy) != 0 {
		t.Error(c.busy)
	}
}

func TestTroubleWithTheDiskIsNotTheModulesFault(t *testing.T) {
	c, wasm := newCompiler(t), wasmtest.Nothing()
	if err := os.MkdirAll(c.cache.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(c.cache.Dir(), Sum(wasm).String())
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *RefusedError
	if err := c.Ensure(t.Context(), wasm); err == nil || errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if err := c.Ensure(t.Context(), wasm); err != nil { // what was in the way has been removed
		t.Error(err)
	}
}

// TestBadModuleCostsOneChild feeds what must not reach the compiler in this
// process; that the test goes on is half of the proof.
func TestBadModuleCostsOneChild(t *testing.T) {
	for name, c := range map[string]struct {
		wasm []byte
		says string
	}{
		"vector bomb":       {wasmtest.VectorBomb(3), "too much memory"},
		"no module":         {[]byte("hello"), "invalid magic number"},
		"wrong instruction": {wasmtest.Command(0xff), "invalid"},
		"type mismatch":     {wasmtest.Command(0x41, 0), "too many results"},
		"missing operand":   {wasmtest.Command(0x6a), "i32.add"},
	} {
		t.Run(name, func(t *testing.T) {
			compiler := newCompiler(t)
			err := compiler.Ensure(t.Context(), c.wasm)
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.says) {
				t.Fatalf("got %v, want a refusal that says %q", err, c.says)
			}
			if strings.Contains(refused.Reason, "\n") || len(refused.Reason) > 2*maxReason {
				t.Errorf("a reason of %d bytes: %s", len(refused.Reason), refused.Reason)
			}
			if compiler.cache.Has(Sum(c.wasm)) {
				t.Error("something is left in the cache")
			}
		})
	}
}

func TestCompileTimeIsBounded(t *testing.T) {
	c := newCompiler(t)
	c.timeout = 300 * time.Millisecond
	begun := time.Now()
	err := c.Ensure(t.Context(), wasmtest.CompileBomb(400))
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "longer than 300ms") {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestCallerCanGiveUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := newCompiler(t).Ensure(ctx, wasmtest.CompileBomb(400))
	var refused *RefusedError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) {
		t.Errorf("got %v: a caller that leaves says nothing of the module", err)
	}
}

func TestWrongProgramIsNotTheModulesFault(t *testing.T) {
	c := NewCompiler("/does/not/exist", t.TempDir())
	var refused *RefusedError
	if err := c.Ensure(t.Context(), wasmtest.Nothing()); err == nil || errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

func TestResultIsOneOfTwo(t *testing.T) {
	var refused *RefusedError
	for r, isRefusal := range map[result]bool{{Refused: "x"}: true, {Failed: "x"}: false} {
		if err := r.err(); err == nil || errors.As(err, &refused) != isRefusal {
			t.Errorf("%+v is %v", r, err)
		}
	}
	if err := (result{}).err(); err != nil {
		t.Error(err)
	}
}

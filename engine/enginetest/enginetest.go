// Package enginetest makes modules ready to run, for tests of those that run them.
package enginetest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/engine"
)

// Rig compiles each module once for all tests of a package.
type Rig struct {
	cache engine.Cache
	dir   string

	compiling sync.Mutex
}

// Main runs the tests of a package with a rig, after prepare, and ends the process.
func Main(m *testing.M, rig *Rig, prepare func() error) {
	err := prepare()
	if err == nil {
		rig.dir, err = os.MkdirTemp("", "enginetest-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rig.cache = engine.NewCache(rig.dir)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(rig.dir)
		os.Exit(code)
	}))
}

// CacheDir is the folder of compiled modules.
func (r *Rig) CacheDir() string { return r.dir }

// Ready checks, compiles and loads a module in this process, under a memory limit
// in MiB. Whoever uses it releases it.
func (r *Rig) Ready(t testing.TB, wasm []byte, memoryMB int) *engine.Module {
	t.Helper()
	m, err := engine.Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	metered := m.Instrument()
	r.compile(t, metered)
	loaded, err := engine.New(r.cache).Load(t.Context(), engine.Sum(wasm), m.Shape(), metered, memoryMB)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// compile compiles a module, unless that was done before.
func (r *Rig) compile(t testing.TB, wasm []byte) {
	t.Helper()
	r.compiling.Lock()
	defer r.compiling.Unlock()
	if r.cache.Has(engine.Sum(wasm)) {
		return
	}
	if err := engine.Compile(t.Context(), r.cache, wasm); err != nil {
		t.Fatal(err)
	}
}

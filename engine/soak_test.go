package engine

import (
	"flag"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/soaktest"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// soak bounds the tests below, which are longer the longer it is: see make soak.
var soak = flag.Duration("soak", time.Second, "how long each test of flat memory may go on")

const (
	soakCalls   = 1_000_000
	soakModules = 10_000
)

// TestMemoryStaysFlat makes a million calls, each of an instance of its own that takes a
// page of memory and writes to it, or as many as there is time for.
func TestMemoryStaysFlat(t *testing.T) {
	m := ready(t, wasmtest.Module{MinPages: 1, Funcs: []wasmtest.Func{{Export: "f", Code: []byte{
		0x41, 1, 0x40, 0, 0x1a, // memory.grow 1
		0x41, 0x80, 0x80, 4, 0x41, 1, 0x36, 2, 0, // i32.store at its begin
	}}}}.Bytes(), 16)
	flat(t, soakCalls, func(int) {
		i, err := m.New(t.Context(), Env{Fuel: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		if err := i.Call(t.Context(), "f", nil); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCacheStaysSmall has ten thousand different modules compiled, called once and
// forgotten, or as many as there is time for.
func TestCacheStaysSmall(t *testing.T) {
	c := newCompiler(t)
	c.most = 128 << 10 // of some hundred modules
	e := New(c.cache)
	made := flat(t, soakModules, func(i int) {
		m, err := e.Prepare(t.Context(), c, wasmtest.Numbered("f", int32(i)), 16)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		stack := []uint64{0}
		g, err := m.New(t.Context(), Env{})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if err := g.Call(t.Context(), "f", stack); err != nil || stack[0] != uint64(i) {
			t.Fatalf("module %d gives %d, %v", i, stack[0], err)
		}
	})
	folders, total := c.cache.measure()
	if most := c.most + 256<<10; total > most {
		t.Errorf("%d bytes of machine code are kept, of %d modules, at most %d", total, len(folders), most)
	}
	if len(e.loaded) != 0 || len(folders) == 0 || made > 2000 && len(folders) == made {
		t.Errorf("%d modules of %d are in the cache, %d are loaded", len(folders), made, len(e.loaded))
	}
}

// flat does something as often as it may, and wants this process to stay as it is.
func flat(t *testing.T, most int, do func(i int)) (done int) {
	t.Helper()
	return soaktest.Soak{Most: most, For: *soak, Look: func() soaktest.Held { return soaktest.Here(t) }}.Flat(t, do)
}

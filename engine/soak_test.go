package engine

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// soak bounds the tests below, which are longer the longer it is: see make soak.
var soak = flag.Duration("soak", time.Second, "how long each test of flat memory may go on")

const (
	soakCalls   = 1_000_000
	soakModules = 10_000
	// slack is how much the memory of this process may differ from one look to another.
	slack = 12 << 20
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
	c.most = 512 << 10 // of some hundred modules
	e := New(c.cache)
	made := flat(t, soakModules, func(i int) {
		m, err := e.Prepare(t.Context(), c, numbered(i), 16)
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

// numbered is a module whose f gives i.
func numbered(i int) []byte {
	return wasmtest.Module{MinPages: 1, Data: []wasmtest.Data{{Bytes: fmt.Append(nil, i)}},
		Funcs: []wasmtest.Func{{Export: "f", Results: []byte{wasmtest.I32}, Code: wasmtest.Const(int32(i))}}}.Bytes()
}

// flat does something as often as it may, and compares the memory of this process and its
// goroutines with what they were after a tenth of that.
func flat(t *testing.T, most int, do func(i int)) (done int) {
	t.Helper()
	begun := time.Now()
	early := 0
	var before, after [3]int
	for done < most && time.Since(begun) < *soak {
		do(done)
		if done++; early == 0 && (done >= most/10 || time.Since(begun) > *soak/10) {
			early, before = done, held(t)
		}
	}
	after = held(t)
	t.Logf("%d times in %v; heap %d to %d bytes, resident %d to %d, goroutines %d to %d, since %d times",
		done, time.Since(begun).Round(time.Second), before[0], after[0], before[1], after[1], before[2], after[2], early)
	if after[0] > before[0]+slack || after[1] > before[1]+slack || after[2] > before[2]+5 {
		t.Error("that is more and more")
	}
	return done
}

// held is how many bytes are in the heap and resident, and the number of goroutines.
func held(t *testing.T) [3]int {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return [3]int{int(m.HeapInuse), resident(t), runtime.NumGoroutine()} //nolint:gosec // small
}

// resident is 0 where /proc does not tell.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", "self", "statm"))
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

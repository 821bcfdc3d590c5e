package engine

import (
	"bytes"
	"os"
	"testing"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// mappings is how many mappings of memory this process has.
func mappings(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

// TestManyMemories has a component of many memories take few mappings of the process, of which
// the system gives some ten thousands: without any left Go ends the process.
func TestManyMemories(t *testing.T) {
	many := make([]int, 190)
	m := ready(t, wasmtest.Runs(0, plain(well...), starting(nil), instances(0), wasmtest.Repeat(secCoreInst, len(many), func(int) []byte { return join(byte(0), 1, 0) }), coreExport(0, "run")), 64)
	before := mappings(t)
	i, err := m.New(t.Context(), Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if more := mappings(t) - before; more > 40 {
		t.Errorf("%d mappings more", more)
	}
}

package zoo

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

var update = flag.Bool("update", false, "write engine/testdata/zoo")

var features = wasm.Features{ExtendedConst: true, TailCalls: true}

// The files are what the package makes, no more and no fewer.
func TestFiles(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "zoo")
	for _, a := range All() {
		file := filepath.Join(dir, a.Name+".wasm")
		if *update {
			if err := os.WriteFile(file, a.Module, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, a.Module) {
			t.Errorf("%s is not what the zoo makes; run go test . -update (%v)", file, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(All()) {
		t.Errorf("%d files of %d animals, %v", len(files), len(All()), err)
	}
}

// What lies, or uses what is not known, is refused, with a position and the reason, before
// it costs anything. All else is valid.
func TestDecode(t *testing.T) {
	for _, a := range All() {
		t.Run(a.Name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := wasm.Decode(a.Module, features, wasm.DefaultCaps())
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(a.Module))*128+1<<20 {
				t.Errorf("%d bytes had it allocate %d", len(a.Module), grown)
			}
			refused := a.Harm == Decodes || a.Harm == Reaches && a.Reason != "reserved"
			switch {
			case refused && err == nil:
				t.Error("it was accepted")
			case refused && !strings.Contains(err.Error(), a.Reason):
				t.Errorf("it was refused, but not for %q: %v", a.Reason, err)
			case !refused && err != nil:
				t.Errorf("a valid module was refused: %v", err)
			case err != nil:
				t.Log(err)
			}
		})
	}
}

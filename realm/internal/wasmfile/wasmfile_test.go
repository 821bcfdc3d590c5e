package wasmfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// How programs begin.
const (
	core = "\x00asm\x01\x00\x00\x00"
	bare = "\x00asm\x0d\x00\x01\x00"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"core":      {core, ""},
		"core+":     {core + "garbage is for the nodes to find", ""},
		"empty":     {"", "empty"},
		"component": {bare, ""},
		"draft":     {"\x00asm\x0c\x00\x01\x00", "0x1000c"},
		"version":   {"\x00asm\x02\x00\x00\x00", "0x2"},
		"cut":       {"\x00asm\x01", "cut short"},
		"cut early": {"\x00a", "cut short"},
		"wat":       {"(module)", "as text"},
		"elf":       {"\x7fELF\x02\x01\x01\x00", "Linux program"},
		"html":      {"<!DOCTYPE html>", `"<!DOCTYP"`},
	} {
		err := Check([]byte(c.in))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: Check = %v, want %q", name, err, c.want)
		}
	}
}

func TestReadRefusesWhatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.wasm")
	if err := os.WriteFile(path, []byte(core), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]string{api.MaxModule: "", api.MaxModule + 1: "larger than 64 MiB"} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		m, err := Read(path)
		if want == "" && (err != nil || m.Size() != size) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: %d bytes, %v; want %q", size, m.Size(), err, want)
		}
	}
}

func TestReadFolder(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(core))
	f.Add([]byte(bare))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) == nil && !strings.HasPrefix(string(b), core) && !strings.HasPrefix(string(b), bare) {
			t.Fatalf("%q passed", b)
		}
	})
}

//go:build unix

package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

// filed counts how often casd was asked to read or write a file by itself, and how often
// for bytes.
func (m *mesh) filed() string {
	return fmt.Sprint(m.store.Asked("POST /files/import"), m.store.Asked("PUT /blobs"), m.store.Asked("POST /files/export"))
}

// ending has casd end with files so.
func ending(bytes, status int) func(*nodetest.Casd) {
	return func(c *nodetest.Casd) { c.Files = func() (int, int) { return bytes, status } }
}

func TestStoragePutHandsTheFileOver(t *testing.T) {
	for _, c := range []struct {
		what          string
		bytes, status int
		want          string // imports and puts
		code          int
		says          string
	}{
		{"all is well", -1, 0, "1 0 0", 0, "prog.wasm: 95 B, 95 B of it new here"},
		{"casd cannot use it", 0, 412, "1 1 0", 0, "prog.wasm: 95 B"},
		{"casd breaks off", 5, 0, "1 1 0", 0, "prog.wasm: 95 B"},
		{"casd is not ready", 0, 503, "1 1 0", 0, "prog.wasm: 95 B"},
		{"there is no room", 5, 507, "1 0 0", 1, "store file: Insufficient Storage"},
		{"it is too large", 0, 413, "1 0 0", 1, "store file: Request Entity Too Large"},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := newMesh(t, ending(c.bytes, c.status))
			m.want(c.code, []string{c.says}, "storage", "put", m.file)
			if got := m.filed(); got != c.want {
				t.Errorf("import, put, export: %s, want %s", got, c.want)
			}
		})
	}
}

// A casd that is older than the command line knows of no files.
func TestStorageWithAnOlderCasd(t *testing.T) {
	m := newMesh(t)
	m.want(0, []string{"prog.wasm: 95 B"}, "storage", "put", m.file)
	b, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	m.want(0, nil, "storage", "get", api.Sum(b).String(), "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, b) {
		t.Errorf("%q, %v", got, err)
	}
	if got := m.filed(); got != "1 1 1" {
		t.Errorf("import, put, export: %s", got)
	}
}

// What casd has written stays, and the rest is read from where it ended.
func TestStorageGetHandsTheFileOver(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for _, c := range []struct {
		what          string
		bytes, status int
		gets          int32
	}{
		{"all is well", -1, 0, 0},
		{"casd cannot use it", 0, 412, 1},
		{"it is damaged", 10_000, 500, 1},
		{"casd breaks off", 10_000, 0, 1},
		{"casd breaks off behind the last byte", len(body), 0, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			var gets atomic.Int32
			m := newMesh(t, ending(c.bytes, c.status), func(casd *nodetest.Casd) {
				casd.Spoil = func(api.Digest) int { gets.Add(1); return -1 }
			})
			d := m.store.Add(body, api.BlobRecord{})
			out := filepath.Join(t.TempDir(), "out")
			m.want(0, nil, "storage", "get", d.String(), "-o", out)
			if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) || gets.Load() != c.gets {
				t.Errorf("%d bytes, %v; read %d times, want %d", len(got), err, gets.Load(), c.gets)
			}
			// Standard output goes on where it stands.
			f, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			fmt.Fprint(f, "before ")
			a := &app{in: os.Stdin, out: f, err: io.Discard}
			if err := a.run(m.context(), []string{"--home", m.home.Root(), "storage", "get", d.String()}); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, " after")
			want := append(append([]byte("before "), body...), " after"...)
			if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("standard output has %d bytes, want %d: %v", len(got), len(want), err)
			}
		})
	}
}

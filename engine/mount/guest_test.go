package mount_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/enginetest"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

var (
	rig   enginetest.Rig
	files []byte // a program that uses a folder
)

func TestMain(m *testing.M) {
	enginetest.Main(m, &rig, func() (err error) {
		files, err = wasmtest.Files()
		return err
	})
}

// opened opens folders for a guest until the end of the test, each as /NAME.
func opened(t testing.TB, readOnly bool, dirs ...string) []engine.Mount {
	t.Helper()
	var out []engine.Mount
	for _, dir := range dirs {
		d, err := mount.Open(dir, readOnly)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		out = append(out, engine.Mount{Guest: "/" + filepath.Base(dir), Folder: d})
	}
	return out
}

// guest runs the program with mounts and returns what it prints.
func guest(t testing.TB, mounts []engine.Mount, args ...string) string {
	t.Helper()
	m := rig.Ready(t, files, 128)
	defer m.Release()
	var out bytes.Buffer
	if err := m.Run(t.Context(), engine.Env{Args: append([]string{"files"}, args...), Stdout: &out, Stderr: &out, Mounts: mounts}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
}

func lines(text string) []string { return strings.Split(text, "\n") }

// TestGoProgramSeesTheSame runs a program of stock Go in a sandbox and outside.
func TestGoProgramSeesTheSame(t *testing.T) {
	here := filepath.Join(t.TempDir(), "files.exe")
	if err := wasmtest.FilesHere(here); err != nil {
		t.Fatal(err)
	}
	native, err := exec.CommandContext(t.Context(), here, t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, native)
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	got, want := lines(guest(t, opened(t, false, dir), "/data")), lines(string(native))
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("after %s\nthe sandbox says %q\nand the host %q", strings.Join(want[max(0, i-3):min(i, len(want))], "\n"), tail(got, i), tail(want, i))
		}
	}
	if end := "walk: ok\n"; !strings.HasSuffix(string(native), end) {
		t.Errorf("it has not come to its end: %q", tail(want, len(want)-3))
	}
}

func tail(lines []string, from int) []string {
	if from >= len(lines) {
		return nil
	}
	return lines[from:min(len(lines), from+3)]
}

func TestGuestWithSeveralMounts(t *testing.T) {
	top := t.TempDir()
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	for _, dir := range []string{a, b} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(b, "data"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	mounts := slices.Concat(opened(t, false, a), opened(t, true, b))
	guest(t, mounts, "/a", "write", "1", "1000")
	guest(t, mounts, "/b", "read", "1", "1000")
	if info, err := os.Stat(filepath.Join(a, "data")); err != nil || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestCounterGoesOn stops a program and starts it again.
func TestCounterGoesOn(t *testing.T) {
	wasm, err := wasmtest.Sample("counter-file", false)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := rig.Ready(t, wasm, 64)
	defer m.Release()
	mounts := opened(t, false, dir)
	mounts[0].Guest = "/data"
	for start := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		out := &stopAt{text: fmt.Sprintf("counting on from %d\ncount %d\n", start, start+1), stop: stop}
		if err := m.Run(ctx, engine.Env{Args: []string{"counter"}, Stdout: out, Stderr: out, Mounts: mounts}); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v\n%s", err, out.got.String())
		}
		if text, err := os.ReadFile(filepath.Join(dir, "count")); strings.TrimSpace(string(text)) != fmt.Sprint(start+1) {
			t.Errorf("start %d has counted %q, %v", start, text, err)
		}
	}
	if starts, err := os.ReadFile(filepath.Join(dir, "starts")); strings.Count(string(starts), "\n") != 2 {
		t.Errorf("starts: %q, %v", starts, err)
	}
}

// stopAt stops a program once it has printed a text, and nothing else.
type stopAt struct {
	text string
	stop func()
	got  bytes.Buffer
}

func (w *stopAt) Write(p []byte) (int, error) {
	w.got.Write(p)
	if w.got.String() == w.text || !strings.HasPrefix(w.text, w.got.String()) {
		w.stop()
	}
	return len(p), nil
}

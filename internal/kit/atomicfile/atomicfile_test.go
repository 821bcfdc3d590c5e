package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"first", "", "second, longer"} {
		if err := Write(path, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left beside it: %v", left)
	}
}

// A write that fails leaves the old content and nothing beside it.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no such folder":  filepath.Join(dir, "none", "f"),
		"a folder itself": folder,
	} {
		for _, write := range []func(string, []byte, os.FileMode) error{Write, Create} {
			if err := write(path, []byte("x"), 0o600); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// A reader at any time sees one of the contents, whole.
func TestWriteIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 1+i*4000) }
	if err := Write(path, content(0), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers errgroup.Group
	for range 2 {
		readers.Go(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if !bytes.Equal(b, content(int(b[0]-'a'))) {
					return fmt.Errorf("saw %d bytes of %q", len(b), b[0])
				}
			}
		})
	}
	for i := range 60 {
		if err := Write(path, content(i%20), 0o600); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var g errgroup.Group
	made := make(chan byte, 16)
	for i := range byte(16) {
		g.Go(func() error {
			err := Create(path, []byte{i}, 0o600)
			if err == nil {
				made <- i
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(made) != 1 {
		t.Fatalf("%d of 16 made the same file", len(made))
	}
	want := <-made
	if got, err := os.ReadFile(path); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("the file holds %v, %v; %d made it", got, err, want)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left beside it: %v", left)
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(os.WriteFile(from, []byte("new"), 0o600), os.WriteFile(to, []byte("old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if err := Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
}

func TestSyncDir(t *testing.T) {
	if err := SyncDir(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := SyncDir(filepath.Join(t.TempDir(), "none")); runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

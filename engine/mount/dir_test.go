package mount

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// list reads the names in a folder, a few at a time.
func list(t testing.TB, fs sys.FS, path string) []string {
	t.Helper()
	d := open(t, fs, path, sys.O_DIRECTORY)
	var names []string
	for {
		entries, errno := d.Readdir(7)
		if errno != 0 {
			t.Fatal(errno)
		}
		for _, e := range entries {
			names = append(names, e.Name)
		}
		if len(entries) < 7 {
			slices.Sort(names)
			return names
		}
	}
}

func TestReadsLargeFolder(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 3000 {
		want = append(want, fmt.Sprintf("file-%04d", i))
	}
	tree(t, dir, want...)
	tree(t, dir, "sub/", "link -> file-0001")
	want = append(want, "link", "sub")
	fs := shown(t, dir, false)
	if got := list(t, fs, "/"); !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), len(want))
	}
	d := open(t, fs, "/", sys.O_DIRECTORY)
	all, errno := d.Readdir(-1)
	if errno != 0 || len(all) != len(want) {
		t.Fatalf("%d names, %v", len(all), errno)
	}
	for _, e := range all {
		st, errno := fs.Lstat(e.Name)
		if errno != 0 || st.Ino != e.Ino || st.Mode.Type() != e.Type {
			t.Fatalf("%s: %v, which lstat knows as %v %d, %v", e.Name, e.String(), st.Mode, st.Ino, errno)
		}
	}
	tree(t, dir, "late")
	if _, errno := d.Seek(0, io.SeekStart); errno != 0 {
		t.Fatal(errno)
	}
	if again, errno := d.Readdir(0); errno != 0 || len(again) != len(want)+1 {
		t.Errorf("from the start: %d names, %v", len(again), errno)
	}
}

// TestReaddirIsFullWhileFilesVanish: wazero would take fewer names for the end.
func TestReaddirIsFullWhileFilesVanish(t *testing.T) {
	dir := t.TempDir()
	for i := range 2000 {
		tree(t, dir, fmt.Sprint("file-", i))
	}
	d := open(t, shown(t, dir, false), ".", sys.O_DIRECTORY)
	seen := map[string]bool{}
	for round := 0; ; round++ {
		entries, errno := d.Readdir(100)
		if errno != 0 {
			t.Fatal(errno)
		}
		for _, e := range entries {
			seen[e.Name] = true
		}
		if len(entries) < 100 {
			break
		}
		for i := range 5 { // some that were read, some that are to come
			_ = os.Remove(filepath.Join(dir, fmt.Sprint("file-", round*50+i)))
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if !seen[e.Name()] {
			t.Errorf("%s was not read", e.Name())
		}
	}
}

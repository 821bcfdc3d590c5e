package dev

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a folder that is watched.
type watched struct {
	*testing.T
	dir string
	*Watcher
}

func newWatched(t *testing.T, ignore ...string) *watched {
	dir := folder(t, map[string]string{"main.go": "", "sub/deep/a.go": "", ".git/HEAD": "", "node_modules/x.js": "", "target/x": ""})
	w, err := Watch(dir, ignore, filepath.Join(dir, "made"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return &watched{t, dir, w}
}

func (w *watched) save(name string) { w.Helper(); write(w.T, filepath.Join(w.dir, name), "new") }

// tells waits for a save, which must be of name.
func (w *watched) tells(name string) {
	w.Helper()
	select {
	case got := <-w.Saved:
		if filepath.ToSlash(got) != name {
			w.Errorf("%s was saved, want %s", got, name)
		}
	case <-time.After(20 * time.Second):
		w.Fatalf("nobody tells that %s was saved", name)
	}
}

func TestWatch(t *testing.T) {
	w := newWatched(t, "*.css")
	w.save("main.go")
	w.tells("main.go")
	w.save("sub/deep/a.go")
	w.tells("sub/deep/a.go")
	// What does not count is followed by what does, which is told of alone.
	for _, name := range []string{".git/HEAD", "node_modules/x.js", "target/x", "out.wasm", "made", "main.go~", ".main.go.swp", "a.css", "sub/x.log"} {
		w.save(name)
	}
	if err := os.Chmod(filepath.Join(w.dir, "main.go"), 0o640); err != nil {
		t.Fatal(err)
	}
	w.save("sub/b.go")
	w.tells("sub/b.go")
	// As editors do it: another file, and then its name.
	w.save(".new")
	if err := os.Rename(filepath.Join(w.dir, ".new"), filepath.Join(w.dir, "main.go")); err != nil {
		t.Fatal(err)
	}
	w.tells("main.go")
	// Folders that are new are watched.
	if err := os.Mkdir(filepath.Join(w.dir, "new"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.tells("new")
	w.save("new/c.go")
	w.tells("new/c.go")
	if err := os.Remove(filepath.Join(w.dir, "new", "c.go")); err != nil {
		t.Fatal(err)
	}
	w.tells("new/c.go")
}

// Several writes are one save; those that go on are told of all the same.
func TestWatchBurst(t *testing.T) {
	w := newWatched(t)
	for end := time.Now().Add(longest + quiet); time.Now().Before(end); time.Sleep(quiet / 4) {
		w.save("main.go")
		if len(w.Saved) > 0 {
			break
		}
	}
	w.tells("main.go")
}

func TestWatchRefuses(t *testing.T) {
	if _, err := Watch(t.TempDir(), []string{"["}, ""); err == nil || !strings.Contains(err.Error(), "--ignore") {
		t.Errorf("a bad pattern: %v", err)
	}
	if _, err := Watch(filepath.Join(t.TempDir(), "gone"), nil, ""); err == nil {
		t.Error("a folder that is not there is watched")
	}
}

package pins

import (
	"os"
	"path/filepath"
	"testing"
)

// A pin whose file cannot be made durable is none, after a restart either. The device here
// refuses to be synced.
func TestAddIsNotDurable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pins")
	p := open(t, dir)
	if err := os.Symlink(os.DevNull, p.path(blob("a"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(blob("a")); err == nil || p.Has(blob("a")) || open(t, dir).Has(blob("a")) {
		t.Errorf("%v, pinned: %v, after a restart: %v", err, p.Has(blob("a")), open(t, dir).Has(blob("a")))
	}
}

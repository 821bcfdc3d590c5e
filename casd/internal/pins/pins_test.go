package pins

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func open(t *testing.T, dir string) *Pins {
	t.Helper()
	p := New(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err := p.Load(); err != nil {
		t.Fatal(err)
	}
	return p
}

func blob(s string) api.Digest { return api.Sum([]byte(s)) }

// What is pinned stays so over restarts until the pin is removed.
func TestPins(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pins")
	p := open(t, dir)
	for _, d := range []api.Digest{blob("a"), blob("b"), blob("a")} {
		if err := p.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Remove(blob("c")); !errors.Is(err, ErrNotPinned) {
		t.Errorf("remove what is not pinned: %v", err)
	}
	if all := p.All(); len(all) != 2 || all[0] == all[1] {
		t.Errorf("all: %v", all)
	}
	for round := range 2 {
		if !p.Has(blob("a")) || !p.Has(blob("b")) || p.Has(blob("c")) {
			t.Errorf("round %d: a %v, b %v, c %v", round, p.Has(blob("a")), p.Has(blob("b")), p.Has(blob("c")))
		}
		p = open(t, dir)
	}
	if err := p.Remove(blob("a")); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(blob("a")); !errors.Is(err, ErrNotPinned) {
		t.Errorf("remove a pin again: %v", err)
	}
	if p.Has(blob("a")) || open(t, dir).Has(blob("a")) || !open(t, dir).Has(blob("b")) {
		t.Error("a pin that was removed is there, or another is gone")
	}
}

// A pin that could not be written is none.
func TestAddFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pins")
	p := open(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(blob("a")); err == nil || p.Has(blob("a")) {
		t.Errorf("%v, pinned: %v", err, p.Has(blob("a")))
	}
}

func TestLoadPassesOverOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"readme", strings.Repeat("0", 64), blob("a").String()} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	p := New(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err := p.Load(); err != nil || !p.Has(blob("a")) || len(p.set) != 1 {
		t.Errorf("%v, %v", err, p.set)
	}
	if strings.Count(log.String(), "remove it") != 2 {
		t.Errorf("log: %s", log.String())
	}
}

func TestLoadFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(file, slog.New(slog.DiscardHandler)).Load(); err == nil {
		t.Error("a file was taken for the folder")
	}
}

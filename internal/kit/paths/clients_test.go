package paths

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestClients(t *testing.T) {
	tmp := t.TempDir()
	for _, v := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(v, tmp)
	}
	var c Clients
	for range 2 { // again is no error
		var err error
		if c, err = OpenClients(); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(filepath.Dir(c.Lock())); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v", fi, err)
	}
	if homes, err := c.Homes(); err != nil || len(homes) != 0 {
		t.Errorf("homes at first: %v, %v", homes, err)
	}
	if err := os.WriteFile(c.Lock(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var made []Home
	for range 2 {
		h, err := c.New()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Create(); err != nil {
			t.Fatal(err)
		}
		made = append(made, h)
	}
	homes, err := c.Homes()
	if err != nil || len(homes) != 2 || homes[0] == homes[1] || !slices.Contains(homes, made[0]) {
		t.Errorf("made %v, found %v, %v", made, homes, err)
	}
	if err := made[0].Remove(); err != nil {
		t.Fatal(err)
	}
	if homes, err := c.Homes(); err != nil || !slices.Equal(homes, made[1:]) {
		t.Errorf("after one was removed: %v, %v", homes, err)
	}
}

func TestRemoveAndPurge(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, dir := range []string{"short", filepath.Join("long", string(slices.Repeat([]byte("h"), 100)))} {
		h := open(t, filepath.Join(t.TempDir(), dir))
		if err := h.Create(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{h.Config(), h.Lock(), h.Pin(), h.NodeKey()} {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Purge(); err != nil {
			t.Fatal(err)
		}
		left, err := filepath.Glob(filepath.Join(h.Root(), "*"))
		if err != nil || !slices.Equal(left, []string{h.Config(), h.Lock()}) {
			t.Errorf("purged, but %v, %v", left, err)
		}
		if _, err := os.Stat(h.Run()); !os.IsNotExist(err) {
			t.Errorf("purged, but %s is there: %v", h.Run(), err)
		}
		if err := h.Create(); err != nil {
			t.Fatal(err)
		}
		if err := h.Remove(); err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{h.Root(), h.Run()} {
			if _, err := os.Stat(gone); !os.IsNotExist(err) {
				t.Errorf("%s is still there: %v", gone, err)
			}
		}
		if err := h.Remove(); err != nil {
			t.Errorf("a home that is gone: %v", err)
		}
	}
}

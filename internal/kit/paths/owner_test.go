package paths

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestOwnerKey(t *testing.T) {
	t.Setenv(EnvOwnerKey, "/keys/mine.pem")
	if p, err := OwnerKey(); err != nil || p != "/keys/mine.pem" {
		t.Errorf("%s, %v", p, err)
	}
	dir := t.TempDir()
	t.Setenv(EnvOwnerKey, "")
	for _, v := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(v, dir)
	}
	if p, err := OwnerKey(); err != nil || !strings.HasPrefix(p, dir) || !strings.HasSuffix(p, filepath.Join("realm", "owner.pem")) {
		t.Errorf("%s, %v", p, err)
	}
}

func TestContexts(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(v, dir)
	}
	if p, err := Contexts(); err != nil || !strings.HasPrefix(p, dir) || !strings.HasSuffix(p, filepath.Join("realm", "contexts.toml")) {
		t.Errorf("%s, %v", p, err)
	}
}

func openAgent(t *testing.T, keyFile string) KeyAgent {
	t.Helper()
	a, err := OpenKeyAgent(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Every key file has an agent's place of its own, short enough and private.
func TestKeyAgent(t *testing.T) {
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	long := "/" + strings.Repeat("k", 200)
	a, b := openAgent(t, long+"a"), openAgent(t, long+"b")
	if a == b || a != openAgent(t, long+"a") || !strings.HasPrefix(a.Dir(), run) || filepath.Dir(a.Socket()) != a.Dir() {
		t.Errorf("%s and %s", a.Socket(), b.Socket())
	}
	if err := a.Check(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	for range 2 { // again is no error
		if err := a.Create(); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(a.Dir()); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v", fi, err)
	}
	t.Chdir(run)
	if rel, abs := openAgent(t, "owner.pem"), openAgent(t, filepath.Join(run, "owner.pem")); rel != abs {
		t.Errorf("one file, two places: %s, %s", rel.Dir(), abs.Dir())
	}
	t.Setenv("XDG_RUNTIME_DIR", "/"+strings.Repeat("r", 200))
	if _, err := OpenKeyAgent("owner.pem"); err == nil || !strings.Contains(err.Error(), "choose a shorter") {
		t.Errorf("nothing short: %v", err)
	}
}

func TestOwnerRotation(t *testing.T) {
	if got := OwnerRotation("/keys/owner.pem"); got != "/keys/owner.pem.rotation" {
		t.Error(got)
	}
}

func TestRetiredOwnerKey(t *testing.T) {
	if got := RetiredOwnerKey("/keys/owner.pem", 2); got != "/keys/owner.pem.retired-2" {
		t.Error(got)
	}
}

package native

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
)

func TestValidate(t *testing.T) {
	abs := t.TempDir()
	good := func() Spec {
		return Spec{Dir: abs, WorkDir: abs, Argv: []string{filepath.Join(abs, "x")}, Assets: []Asset{{Name: "a", Path: filepath.Join(abs, "a")}}}
	}
	s := good()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for words, change := range map[string]func(*Spec){
		"folder of the execution": func(s *Spec) { s.Dir = "x" },
		"working folder":          func(s *Spec) { s.WorkDir = "" },
		"not in the working":      func(s *Spec) { s.Cwd = "a/../../b" },
		"no absolute path":        func(s *Spec) { s.Argv = nil },
		"NUL":                     func(s *Spec) { s.Argv = append(s.Argv, "a\x00b") },
		"cannot be set":           func(s *Spec) { s.Env = map[string]string{"A=B": ""} },
		"negative":                func(s *Spec) { s.Timeout = -time.Second },
		"no file name":            func(s *Spec) { s.Assets[0].Name = "../x" },
		"twice":                   func(s *Spec) { s.Assets = append(s.Assets, s.Assets[0]) },
		"pack them":               func(s *Spec) { s.Assets = make([]Asset, maxAssets+1) },
	} {
		s := good()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := Spec{WorkDir: "/w", Env: map[string]string{"HOME": "/h", EnvAssets: "elsewhere", "A": "b"}}
	if got := strings.Join(Environment(&s, "/t", "/as"), " "); got != "A=b HOME=/h PATH="+defaultPath+" REALM_ASSETS=/as TMPDIR=/t" {
		t.Error(got)
	}
}

func TestWorkRoot(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	inside := filepath.Join(t.TempDir(), "home", "work")
	both := Confinement{Layers: []confine.Layer{{Name: confine.OwnUser, Holds: true}, {Name: confine.MountSpace, Holds: true}}}
	if dir, err := WorkRoot(both, inside); dir != inside || err != nil {
		t.Errorf("%s, %v", dir, err)
	}
	dir, err := WorkRoot(Confinement{Layers: both.Layers[:1]}, inside)
	if err != nil || needsPassing(Confinement{Layers: both.Layers[:1]}) && filepath.Dir(dir) != filepath.Clean(os.TempDir()) {
		t.Errorf("%s, %v", dir, err)
	}
	if again, err := WorkRoot(Confinement{Layers: both.Layers[:1]}, inside); again != dir || err != nil {
		t.Errorf("%s, %v", again, err)
	}
}

// FuzzState reads what may stand in an execution's folder after a crash.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"pid":1,"init":2,"groups":{"unified":"/x"},"temporary":["/tmp/x"]}`))
	f.Add([]byte(`{"ending":"exited"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		for _, name := range []string{stateFile, resultFile} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var s State
		_ = ReadState(dir, &s)
		_, _ = ReadResult(dir)
	})
}

// TestAttachAfterACrash has files that the end of the machine has cut.
func TestAttachAfterACrash(t *testing.T) {
	dir := t.TempDir()
	if _, err := Attach(dir); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := Attach(filepath.Join(dir, "none")); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(dir); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	if err := WriteState(dir, State{WorkDir: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(dir); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
}

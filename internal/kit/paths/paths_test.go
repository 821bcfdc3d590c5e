package paths

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func open(t *testing.T, dir string) Home {
	t.Helper()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The table of all files, as they lie under /home: a change here moves what users
// have on their disks.
func TestFiles(t *testing.T) {
	h := open(t, "/h")
	volume := filepath.VolumeName(h.Root()) // of Windows
	ref := api.Ref{Kind: api.KindFunction, Name: "double"}
	want := map[string]string{
		"Root":         "/h",
		"Config":       "/h/config.toml",
		"Lock":         "/h/lock",
		"ClientLock":   "/h/client.lock",
		"Ports":        "/h/ports.json",
		"Pin":          "/h/trust.json",
		"Proof":        "/h/membership.json",
		"EnrollToken":  "/h/enroll.token",
		"Clock":        "/h/clock.json",
		"Policy":       "/h/policy.json",
		"Jobs":         "/h/runnerd/jobs",
		"JobTails":     "/h/runnerd/tails",
		"JobVotes":     "/h/runnerd/votes.log",
		"JobsOver":     "/h/runnerd/over.log",
		"Files":        "/h/cache/files",
		"Work":         "/h/runnerd/work",
		"Volumes":      "/h/volumes",
		"Holdings":     "/h/runnerd/holdings.json",
		"SecretKeys":   "/h/runnerd/secrets",
		"Keys":         "/h/keys",
		"NodeKey":      "/h/keys/node.pem",
		"BusSeed":      "/h/keys/bus-casd.nk",
		"Token":        "/h/keys/token",
		"Bus":          "/h/bus",
		"State":        "/h/casd",
		"Marks":        "/h/casd/marks.log",
		"Cache":        "/h/cache/casd",
		"DaemonLogs":   "/h/logs/daemons",
		"DaemonLog":    "/h/logs/daemons/casd.log",
		"AccessLog":    "/h/logs/access.log",
		"WorkloadLogs": "/h/logs/workloads",
		"WorkloadLog":  "/h/logs/workloads/function/double.log",
		"LastGood":     "/h/runnerd/good/function/double.json",
		"Run":          "/h/run",
		"Socket":       "/h/run/casd.sock",
		"DaemonLock":   "/h/run/casd.lock",
	}
	v := reflect.ValueOf(h)
	seen := map[string]string{}
	for i := range v.NumMethod() {
		name, method := v.Type().Method(i).Name, v.Method(i)
		if method.Type().NumOut() != 1 || method.Type().Out(0).Kind() != reflect.String {
			continue // Create
		}
		var args []reflect.Value
		if method.Type().NumIn() == 1 {
			arg := reflect.ValueOf(api.Casd)
			if method.Type().In(0) == reflect.TypeFor[api.Ref]() {
				arg = reflect.ValueOf(ref)
			}
			args = append(args, arg)
		}
		got := filepath.ToSlash(strings.TrimPrefix(method.Call(args)[0].String(), volume))
		if got != want[name] {
			t.Errorf("%s is %s, want %s", name, got, want[name])
		}
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s are the same file", name, other)
		}
		seen[got] = name
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no %s any more", name)
	}
	if got := h.Socket(api.Launcher); filepath.Base(got) != "bus.sock" {
		t.Errorf("the launcher's socket is %s", got)
	}
}

// What daemons own, two of them never share.
func TestDaemonsShareNoFile(t *testing.T) {
	h := open(t, t.TempDir())
	seen := map[string]api.Daemon{}
	for _, d := range append(api.Daemons(), api.Launcher) {
		for _, p := range []string{h.Socket(d), h.State(d), h.Marks(d), h.Cache(d), h.DaemonLog(d), h.BusSeed(d), h.DaemonLock(d)} {
			if other, ok := seen[p]; ok {
				t.Errorf("%s is of %s and %s", p, d, other)
			}
			seen[p] = d
		}
	}
}

func TestOpenFindsTheHome(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "user"))
	t.Setenv("LOCALAPPDATA", filepath.Join(dir, "local"))
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv(EnvHome, filepath.Join(dir, "env"))
	if got := open(t, filepath.Join(dir, "arg")).Root(); got != filepath.Join(dir, "arg") {
		t.Errorf("the argument: %s", got)
	}
	if got := open(t, "").Root(); got != filepath.Join(dir, "env") {
		t.Errorf("the environment: %s", got)
	}
	t.Setenv(EnvHome, "")
	want := map[string]string{
		"linux":   filepath.Join(dir, "data", "realm"),
		"darwin":  filepath.Join(dir, "user", "Library", "Application Support", "realm"),
		"windows": filepath.Join(dir, "local", "realm"),
	}[runtime.GOOS]
	if got := open(t, "").Root(); got != want {
		t.Errorf("the platform's: %s, want %s", got, want)
	}
	if runtime.GOOS == "linux" {
		t.Setenv("XDG_DATA_HOME", "relative") // must be ignored, says its specification
		if got := open(t, "").Root(); got != filepath.Join(dir, "user", ".local", "share", "realm") {
			t.Errorf("with a relative XDG_DATA_HOME: %s", got)
		}
	}
	t.Chdir(dir)
	if got := open(t, "rel/../home").Root(); got != filepath.Join(dir, "home") {
		t.Errorf("a relative argument: %s", got)
	}
}

// Every home gets sockets that fit a Unix socket's address, or is refused in words.
func TestSocketsFit(t *testing.T) {
	for n := 1; n < 300; n++ {
		h := open(t, "/"+strings.Repeat("h", n))
		for _, d := range append(api.Daemons(), api.Launcher) {
			if s := h.Socket(d); len(s) > maxSocket {
				t.Fatalf("home of %d characters: socket %s of %d", n, s, len(s))
			}
		}
		inHome := strings.HasPrefix(h.Run(), h.Root())
		if fits := len(h.Root()+"/run"+longestSocket) <= maxSocket; inHome != fits {
			t.Fatalf("home of %d characters: sockets in %s", n, h.Run())
		}
	}
}

func TestLongHomesDiffer(t *testing.T) {
	long := "/" + strings.Repeat("h", 200)
	a, b := open(t, long+"a"), open(t, long+"b")
	if a.Run() == b.Run() {
		t.Errorf("two homes share %s", a.Run())
	}
	if again := open(t, long+"a"); again.Run() != a.Run() {
		t.Errorf("%s, then %s", a.Run(), again.Run())
	}
}

func TestShortFolder(t *testing.T) {
	long := "/" + strings.Repeat("h", 200)
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got := open(t, long).Run(); !strings.HasPrefix(got, "/run/user/7/realm-") {
		t.Errorf("with a runtime folder: %s", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if got := open(t, long).Run(); !filepath.IsAbs(got) {
		t.Errorf("with a relative runtime folder: %s", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "/"+strings.Repeat("r", 200))
	if _, err := Open(long); err == nil || !strings.Contains(err.Error(), "too long for a Unix socket") || !strings.Contains(err.Error(), "choose a shorter") {
		t.Errorf("nothing short: %v", err)
	}
}

func TestCreate(t *testing.T) {
	for _, dir := range []string{
		filepath.Join(t.TempDir(), "home"),
		filepath.Join(t.TempDir(), strings.Repeat("long", 30), "home"),
	} {
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		h := open(t, dir)
		for range 2 { // again is no error
			if err := h.Create(); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range []string{h.Root(), h.Run(), h.Keys(), h.DaemonLogs()} {
			fi, err := os.Stat(d)
			if err != nil || !fi.IsDir() || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", d, fi, err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, filepath.Join(file, "home")).Create(); err == nil {
		t.Error("a home below a file was made")
	}
}

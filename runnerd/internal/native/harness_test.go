//go:build linux

package native_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/leaktest"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
	"github.com/realm-mesh/realm/runnerd/internal/native/shim"
)

// What this binary is, beside the tests: what runnerd is to the package, a hostile
// program, a runnerd that will be killed.
const (
	hostileCommand = "hostile"
	starterCommand = "starter"
)

func TestMain(m *testing.M) {
	switch append(os.Args, "")[1] {
	case native.ShimCommand:
		os.Exit(shim.Main(os.Stdin, os.Stdout))
	case confine.InitCommand:
		// Not by os.Exit: under -race every program would end a second late. What is said of
		// races is among the program's output by then.
		syscall.Exit(confine.Init())
	case hostileCommand:
		os.Exit(hostile(os.Args[2:]))
	case starterCommand:
		os.Exit(starter(os.Args[2]))
	}
	leaktest.Run(m, func() {})
}

// place is where one execution of a test lives, and a node with something to hide.
type place struct {
	t     *testing.T
	root  string
	home  string // of the node: private
	token string // in the arguments of what it runs
	spec  native.Spec
}

// newPlace has the execution of a program, which sees the token as its last argument.
func newPlace(t *testing.T, machine native.Confinement, argv ...string) *place {
	t.Helper()
	root := t.TempDir()
	p := &place{t: t, root: root, home: filepath.Join(root, "home"), token: filepath.Base(filepath.Dir(root)) + filepath.Base(root)}
	p.spec = native.Spec{
		Dir: filepath.Join(p.home, "execution"), WorkDir: filepath.Join(p.home, "work"),
		Argv: append(argv, p.token), Private: []string{p.home},
		Timeout: time.Minute, Grace: 300 * time.Millisecond, Machine: &machine,
	}
	if !machine.Has(confine.MountSpace) && os.Getuid() == 0 {
		p.spec.WorkDir = filepath.Join(root, "outside")
		pass(t, root)
	}
	for _, d := range []string{p.home, p.spec.Dir, p.spec.WorkDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(p.nothingLeft)
	return p
}

// pass lets other users pass the folders above a path in the temporary folder.
func pass(t *testing.T, path string) {
	for ; len(path) > len(os.TempDir()); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o711); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *place) start() *native.Execution {
	p.t.Helper()
	e, err := native.Start(p.t.Context(), p.spec)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

func (p *place) wait(e *native.Execution) native.Result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	r, err := e.Wait(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *place) run() (native.Result, []string) {
	p.t.Helper()
	e := p.start()
	r := p.wait(e)
	return r, p.lines()
}

func (p *place) lines() []string {
	p.t.Helper()
	got, err := logs.Last(native.LogPath(p.spec.Dir), 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, l := range got {
		out = append(out, l.Stream+" "+l.Line)
	}
	return out
}

// nothingLeft looks for what an execution could leave behind.
func (p *place) nothingLeft() {
	if pids := running(p.token); len(pids) > 0 {
		p.t.Errorf("processes are left: %v", pids)
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(b), p.root) {
		p.t.Errorf("mounts are left: %v", err)
	}
	entries, err := os.ReadDir(p.spec.Dir)
	if err != nil {
		p.t.Error(err)
	}
	for _, e := range entries {
		switch name := e.Name(); name {
		case "state.json", "result.json", "shim.lock", "shim.lock.pid":
		case "shim.err":
			if b, err := os.ReadFile(filepath.Join(p.spec.Dir, name)); err != nil || len(b) > 0 {
				p.t.Errorf("the shim said %q, %v", b, err)
			}
		default:
			if !strings.HasPrefix(name, "output.log") {
				p.t.Errorf("%s is left", name)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(p.spec.WorkDir), "realm-job-*")); len(left) > 0 {
		p.t.Errorf("folders are left: %v", left)
	}
	p.noGroups()
}

func (p *place) noGroups() {
	var st native.State
	if err := native.ReadState(p.spec.Dir, &st); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			p.t.Error(err)
		}
		return
	}
	for _, dir := range append([]string{st.Groups.Unified}, values(st.Groups.Folders)...) {
		if _, err := os.Stat(dir); dir != "" && err == nil {
			p.t.Errorf("control group %s is left", dir)
		}
	}
	if st.User > 0 {
		if _, err := os.Stat(fmt.Sprintf("/run/realm-job-users/%d", st.User)); err == nil {
			p.t.Errorf("user id %d is still taken", st.User)
		}
		info, err := os.Stat(p.spec.WorkDir)
		if err != nil || owner(info) != os.Getuid() {
			p.t.Errorf("the working folder is not the node's again: %v", err)
		}
	}
}

func values(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// machines are what this machine has, and what lesser ones have.
func machines(t *testing.T) map[string]native.Confinement {
	t.Helper()
	all, err := native.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(all)
	out := map[string]native.Confinement{"all that there is": all}
	less, why := all, errors.New("taken away by the test")
	for _, layer := range []string{confine.MountSpace, confine.PIDSpace, confine.MemoryCap, confine.PIDsCap, confine.CPUCap} {
		less.Lose(layer, why)
	}
	out["the baseline"] = less
	return out
}

// each runs a test on all machines.
func each(t *testing.T, test func(*testing.T, native.Confinement)) {
	for name, m := range machines(t) {
		t.Run(name, func(t *testing.T) { test(t, m) })
	}
}

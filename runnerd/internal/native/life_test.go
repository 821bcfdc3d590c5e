//go:build linux

package native_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/native"
)

const sh = "/bin/sh"

// TestEndings has programs end in all the ways there are.
func TestEndings(t *testing.T) {
	type want struct {
		ending native.Ending
		code   int
		lines  string
	}
	cases := map[string]struct {
		script string
		change func(*native.Spec)
		want   want
	}{
		"code":           {"echo out; echo err >&2; exit 3", nil, want{native.Exited, 3, "stdout out,stderr err"}},
		"signal":         {"kill -SEGV $$", nil, want{native.Signalled, -1, ""}},
		"ignores TERM":   {"trap '' TERM; while :; do sleep 0.1; done", short, want{native.TimedOut, -1, ""}},
		"ends on TERM":   {"trap 'echo bye; exit 4' TERM; sleep 60 & wait", patient, want{native.TimedOut, 4, "stdout bye"}},
		"leaves behind":  {`(setsid setsid sleep 1000 & setsid nohup sh -c 'trap "" TERM HUP; while :; do sleep 1; done' "$0" &) ; exit 0`, nil, want{native.Exited, 0, ""}},
		"closes outputs": {"exec >&- 2>&-; sleep 0.2; exit 5", nil, want{native.Exited, 5, ""}},
		"home and temp":  {"cd; echo a > b; echo c > $TMPDIR/d; cat b $TMPDIR/d", nil, want{native.Exited, 0, "stdout a,stdout c"}},
	}
	each(t, func(t *testing.T, m native.Confinement) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				p := newPlace(t, m, sh, "-c", c.script)
				if c.change != nil {
					c.change(&p.spec)
				}
				r, lines := p.run()
				slices.Sort(lines)
				want := strings.Split(c.want.lines, ",")
				slices.Sort(want)
				if r.Ending != c.want.ending || r.Code != c.want.code || strings.Join(lines, ",") != strings.Join(want, ",") {
					t.Errorf("%+v, %q", r, lines)
				}
				if r.Ended.Before(r.Started) || r.MaxRSS == 0 || r.Ending != native.Exited && r.Reason == "" {
					t.Errorf("%+v", r)
				}
			})
		}
	})
}

func short(s *native.Spec) { s.Timeout = 300 * time.Millisecond }

// patient leaves a program time to hear what it is told, however busy the machine is.
func patient(s *native.Spec) { s.Timeout, s.Grace = 3*time.Second, 20*time.Second }

// TestLimits has programs take more than they may.
func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		for what, want := range map[string]native.Ending{"hog": native.Memory, "fill": native.Disk, "unlinked": native.Disk, "litter": native.Disk, "dig": native.Disk, "bomb": native.TimedOut} {
			t.Run(what, func(t *testing.T) {
				p := newPlace(t, m)
				p.spec.Argv = []string{exe(t), hostileCommand, what, p.token}
				p.spec.Limits = native.Limits{MemoryMB: 128, DiskMB: 20, PIDs: 100}
				p.spec.Timeout = 20 * time.Second
				if what == "litter" {
					p.spec.Limits.DiskMB = 4
				}
				if what == "bomb" {
					p.spec.Limits.MemoryMB, p.spec.Timeout = 1<<10, 2*time.Second
				}
				begun := time.Now()
				r, _ := p.run()
				// A bomb that is told to end may also end because it can start no thread for that.
				if r.Ending != want || r.Code != -1 && what != "bomb" {
					t.Errorf("%+v", r)
				}
				t.Log(time.Since(begun), r.Reason)
			})
		}
	})
}

// TestOutput has programs write more than anybody wants to read.
func TestOutput(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	m := machines(t)["all that there is"]
	for name, script := range map[string]string{"lines": "yes 'a line that is repeated without end, as noisy programs do'", "no lines": "cat /dev/zero"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, m, sh, "-c", script+` | head -c "$SIZE"; echo; echo last`)
			p.spec.Env = map[string]string{"SIZE": jsonOf(t, size)}
			begun := time.Now()
			r, lines := p.run()
			if r.Ending != native.Exited || r.Code != 0 || lines[len(lines)-1] != "stdout last" {
				t.Errorf("%+v, %.100q", r, lines[max(0, len(lines)-2):])
			}
			kept := int64(0)
			files, err := filepath.Glob(native.LogPath(p.spec.Dir) + "*")
			for _, f := range files {
				if info, err := os.Stat(f); err == nil {
					kept += info.Size()
				}
			}
			if err != nil || kept > 33<<20 || name == "lines" && size > 64<<20 && r.Dropped == 0 {
				t.Errorf("%d bytes in %v, %d dropped", kept, files, r.Dropped)
			}
			t.Logf("%d MiB in %s: %d lines, %d dropped, %d bytes kept", size>>20, time.Since(begun), r.Lines, r.Dropped, kept)
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestStop stops a program that does not want to.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m, sh, "-c", "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done")
		e := p.start()
		heard := make(chan struct{}, 1)
		go func() { _ = e.Follow(t.Context(), func() { notify(heard) }) }()
		for len(p.lines()) == 0 {
			<-heard
		}
		begun := time.Now()
		if err := e.Stop(2 * time.Second); err != nil {
			t.Fatal(err)
		}
		r := p.wait(e)
		if r.Ending != native.Stopped || time.Since(begun) > 20*time.Second || !slices.Contains(p.lines(), "stdout no") {
			t.Errorf("%+v after %s, %q", r, time.Since(begun), p.lines())
		}
		if err := e.Stop(0); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// TestStarterIsKilled kills the process that started an execution, with its group.
func TestStarterIsKilled(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m, sh, "-c", "echo begun; sleep 1; echo on; exit 7")
		cmd := exec.Command("/proc/self/exe", starterCommand, jsonOf(t, p.spec))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if n, err := out.Read(b); err != nil || string(b[:n]) != "started\n" {
			t.Fatalf("%q, %v", b[:n], err)
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		e, err := native.Attach(p.spec.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if r := p.wait(e); r.Code != 7 || r.Ending != native.Exited || len(e.Confinement().Layers) == 0 {
			t.Errorf("%+v", r)
		}
		if got, err := logs.Last(e.Log(), 10); err != nil || len(got) != 2 {
			t.Errorf("%v, %v", got, err)
		}
		// Once more, when it has ended.
		if e, err = native.Attach(p.spec.Dir); err != nil {
			t.Fatal(err)
		}
		if r := p.wait(e); r.Code != 7 {
			t.Errorf("%+v", r)
		}
	})
}

const stubborn = `(setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.2; done' "$0" &); trap '' TERM; echo up; while :; do sleep 0.2; done`

// TestShimIsKilled takes the shim away, with and without the init.
func TestShimIsKilled(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		for name, init := range map[string]bool{"alone": false, "with the init": true} {
			t.Run(name, func(t *testing.T) {
				p := newPlace(t, m, sh, "-c", stubborn)
				e := p.start()
				var st native.State
				if err := native.ReadState(p.spec.Dir, &st); err != nil {
					t.Fatal(err)
				}
				if init {
					_ = syscall.Kill(st.Init, syscall.SIGSTOP) // so that it does nothing meanwhile
				}
				if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if init {
					_ = syscall.Kill(st.Init, syscall.SIGKILL)
				}
				if r, err := e.Wait(t.Context()); !errors.Is(err, native.ErrLost) {
					t.Fatalf("%+v, %v", r, err)
				}
				if _, err := native.Attach(p.spec.Dir); !errors.Is(err, native.ErrLost) {
					t.Error(err)
				}
			})
		}
	})
}

// TestInitIsKilled takes the program's first process away.
func TestInitIsKilled(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		p := newPlace(t, m, sh, "-c", stubborn)
		e := p.start()
		var st native.State
		if err := native.ReadState(p.spec.Dir, &st); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(st.Init, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if r := p.wait(e); r.Ending != native.Signalled || !strings.Contains(r.Reason, "first process") {
			t.Errorf("%+v", r)
		}
	})
}

// TestNotStarted has programs that cannot start.
func TestNotStarted(t *testing.T) {
	each(t, func(t *testing.T, m native.Confinement) {
		for name, change := range map[string]func(*place){
			"nowhere":       func(p *place) { p.spec.Argv[0] = "/usr/bin/nothing-here" },
			"not absolute":  func(p *place) { p.spec.Argv[0] = "sh" },
			"long argument": func(p *place) { p.spec.Argv = append(p.spec.Argv, strings.Repeat("x", 1<<18)) },
			"no program":    func(p *place) { p.spec.Argv[0] = "/etc/passwd" },
			"private":       func(p *place) { p.spec.Private = append(p.spec.Private, filepath.Join(p.spec.WorkDir, "x")) },
		} {
			t.Run(name, func(t *testing.T) {
				p := newPlace(t, m, sh, "-c", "true")
				change(p)
				if _, err := native.Start(t.Context(), p.spec); err == nil {
					t.Fatal("it started")
				} else {
					t.Log(err)
				}
				if name == "nowhere" {
					os.Remove(filepath.Join(p.spec.Dir, "shim.err"))
					e, err := native.Attach(p.spec.Dir)
					if err != nil {
						t.Fatal(err)
					}
					if r := p.wait(e); r.Ending != native.Failed || r.Reason == "" {
						t.Errorf("%+v", r)
					}
				}
				os.Remove(filepath.Join(p.spec.Dir, "shim.err"))
			})
		}
		if _, err := native.Attach(t.TempDir()); !errors.Is(err, native.ErrNone) {
			t.Error(err)
		}
	})
}

// TestLargeEnvironment passes as much as programs may be given.
func TestLargeEnvironment(t *testing.T) {
	p := newPlace(t, machines(t)["all that there is"], sh, "-c", `echo ${#BIG} ${#1}`, "sh", strings.Repeat("y", 100_000))
	p.spec.Env = map[string]string{"BIG": strings.Repeat("x", 100_000)}
	for i := range 1000 {
		p.spec.Env["V"+jsonOf(t, i)] = "v"
	}
	if r, lines := p.run(); r.Code != 0 || lines[0] != "stdout 100000 100000" {
		t.Errorf("%+v %.200q", r, lines)
	}
}

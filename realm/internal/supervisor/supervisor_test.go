package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// fast are limits that let a test see them all.
func fast() Limits {
	l := DefaultLimits()
	l.BackoffMin, l.BackoffMax, l.MaxEarly = 5*time.Millisecond, 20*time.Millisecond, 4
	return l
}

// fixture is a supervisor of children that report ready through their output.
type fixture struct {
	*Supervisor
	t       *testing.T
	stop    context.CancelFunc
	stopped chan struct{} // closed when Run has returned err
	err     error

	mu    sync.Mutex
	lines []string
	seen  []int // process ids that reported ready, of all children
}

func supervise(t *testing.T, l Limits, roles ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, stopped: make(chan struct{})}
	var programs []Program
	for i, role := range roles {
		programs = append(programs, Program{
			Name: api.Daemons()[i], Path: os.Args[0],
			Env: append(os.Environ(), envChild+"="+role),
		})
	}
	f.Supervisor = New(programs, l, f.log, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	f.stop = cancel
	go func() {
		f.err = f.Run(ctx)
		close(f.stopped)
	}()
	t.Cleanup(func() {
		f.Kill()
		cancel()
		f.ended()
	})
	return f
}

func (f *fixture) log(d api.Daemon, l api.LogLine) {
	f.mu.Lock()
	f.lines = append(f.lines, l.Stream+" "+l.Line)
	f.mu.Unlock()
	var pid int
	if n, _ := fmt.Sscanf(l.Line, "ready %d", &pid); n == 1 {
		f.mu.Lock()
		f.seen = append(f.seen, pid)
		f.mu.Unlock()
		_ = f.Ready(api.Ready{Daemon: d, PID: pid, Version: "v1", Note: "here"}) // a grandchild is refused
	}
}

// ended waits until Run has returned.
func (f *fixture) ended() {
	f.t.Helper()
	select {
	case <-f.stopped:
		if f.err != nil {
			f.t.Errorf("run: %v", f.err)
		}
	case <-time.After(20 * time.Second):
		f.t.Fatal("run does not return")
	}
	for _, s := range f.Status() {
		if s.State != api.DaemonStopped || s.PID != 0 {
			f.t.Errorf("after the end: %+v", s)
		}
	}
}

// until waits for a state of the i-th child.
func (f *fixture) until(i int, what string, ok func(api.DaemonStatus) bool) api.DaemonStatus {
	f.t.Helper()
	var now api.DaemonStatus
	err := f.Watch(within(f.t, 20*time.Second), func(all []api.DaemonStatus) (bool, error) {
		now = all[i]
		return ok(now), nil
	})
	if err != nil {
		f.t.Fatalf("%s: never came; now %+v", what, now)
	}
	return now
}

func isReady(s api.DaemonStatus) bool  { return s.State == api.DaemonReady }
func isFailed(s api.DaemonStatus) bool { return s.State == api.DaemonFailed }

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestReadyAndStop(t *testing.T) {
	f := supervise(t, fast(), "serve", "serve", "serve")
	if err := f.Watch(within(t, 20*time.Second), AllReady); err != nil {
		t.Fatal(err)
	}
	for i, s := range f.Status() {
		if s.Daemon != api.Daemons()[i] || s.State != api.DaemonReady || s.PID == 0 || s.Restarts != 0 || s.Version != "v1" || s.Note != "here" {
			t.Errorf("status %+v", s)
		}
		if runtime.GOOS == "linux" && s.RSS < 1<<20 {
			t.Errorf("resident memory %d", s.RSS)
		}
		if err := f.Ready(api.Ready{Daemon: s.Daemon, PID: s.PID}); err != nil {
			t.Errorf("ready again: %v", err)
		}
		if err := f.Ready(api.Ready{Daemon: s.Daemon, PID: os.Getpid()}); err == nil {
			t.Error("a stranger reported ready")
		}
	}
	pids := f.Status()
	f.stop()
	f.ended()
	for _, s := range pids {
		if alive(s.PID) {
			t.Errorf("process %d is still there", s.PID)
		}
	}
	if err := f.Restart(within(t, time.Second), api.Casd); !errors.Is(err, ErrStopped) {
		t.Errorf("restart after the end: %v", err)
	}
}

// kill -9 of a child: it is back at once, and the other is unhurt.
func TestKilledChildComesBack(t *testing.T) {
	l := fast()
	l.EarlyAge = 0
	f := supervise(t, l, "serve", "serve")
	if err := f.Watch(within(t, 20*time.Second), AllReady); err != nil {
		t.Fatal(err)
	}
	other := f.Status()[1].PID
	for range 5 {
		old := f.Status()[0]
		p, err := os.FindProcess(old.PID)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		s := f.until(0, "ready again", func(s api.DaemonStatus) bool { return s.State == api.DaemonReady && s.PID != old.PID })
		t.Logf("killed to ready again: %v", time.Since(began))
		if s.Restarts != old.Restarts+1 || !strings.Contains(s.Reason, "killed") {
			t.Errorf("status %+v", s)
		}
	}
	if s := f.Status()[1]; s.PID != other || s.State != api.DaemonReady {
		t.Errorf("the other one: %+v", s)
	}
}

func TestEarlyDeathsFail(t *testing.T) {
	for role, reason := range map[string]string{
		"crash": `disk "a" is broken`,
		"panic": "panic: out of ideas",
		"short": "exit status 1",
	} {
		t.Run(role, func(t *testing.T) {
			l := fast()
			l.EarlyAge = time.Minute
			f := supervise(t, l, role, "serve")
			s := f.until(0, "failed", isFailed)
			if s.Restarts != l.MaxEarly-1 || !strings.Contains(s.Reason, reason) || !strings.Contains(s.Reason, "4 times") {
				t.Errorf("status %+v", s)
			}
			if err := f.Watch(within(t, time.Second), AllReady); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), reason) {
				t.Errorf("wait: %v", err)
			}
			f.until(1, "the other goes on", isReady)
			if role == "short" {
				return // it does get ready, so that a restart succeeds
			}
			if err := f.Restart(within(t, 20*time.Second), s.Daemon); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("restart: %v", err)
			}
			if again := f.Status()[0]; again.Restarts != 2*l.MaxEarly-1 {
				t.Errorf("a restart gave no fresh budget: %+v", again)
			}
		})
	}
}

func TestConfigurationError(t *testing.T) {
	f := supervise(t, fast(), "config")
	s := f.until(0, "failed", isFailed)
	if s.Restarts != 0 || s.Reason != "exit status 78: invalid setting: owner" {
		t.Errorf("status %+v", s)
	}
}

func TestStartTimeout(t *testing.T) {
	l := fast()
	l.StartTimeout, l.MaxEarly = 50*time.Millisecond, 2
	f := supervise(t, l, "silent")
	if s := f.until(0, "failed", isFailed); !strings.Contains(s.Reason, "not ready within 50ms") {
		t.Errorf("status %+v", s)
	}
}

func TestMissingBinary(t *testing.T) {
	f := &fixture{t: t}
	s := New([]Program{{Name: api.Casd, Path: "/no/such/casd"}}, fast(), f.log, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if err := s.Watch(within(t, 20*time.Second), AllReady); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "/no/such/casd") {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRestart(t *testing.T) {
	f := supervise(t, fast(), "serve", "serve")
	if err := f.Watch(within(t, 20*time.Second), AllReady); err != nil {
		t.Fatal(err)
	}
	before := f.Status()
	if err := f.Restart(within(t, 20*time.Second), before[0].Daemon); err != nil {
		t.Fatal(err)
	}
	after := f.Status()
	if after[0].PID == before[0].PID || after[0].State != api.DaemonReady || after[0].Restarts != 1 {
		t.Errorf("after the restart: %+v", after[0])
	}
	if alive(before[0].PID) || after[1].PID != before[1].PID {
		t.Error("the old one lives, or the other one does not")
	}
	if err := f.Restart(within(t, time.Second), "nosuchd"); err == nil {
		t.Error("a daemon that there is not was restarted")
	}
}

// A child that does not listen is killed after its grace, and at once by Kill.
func TestDeafChild(t *testing.T) {
	l := fast()
	l.StopGrace = 100 * time.Millisecond
	f := supervise(t, l, "deaf")
	f.until(0, "ready", isReady)
	began := time.Now()
	f.stop()
	f.ended()
	if took := time.Since(began); runtime.GOOS != "windows" && took < l.StopGrace {
		t.Errorf("killed after %v already", took)
	}

	l.StopGrace = time.Hour
	f = supervise(t, l, "deaf", "deaf")
	if err := f.Watch(within(t, 20*time.Second), AllReady); err != nil {
		t.Fatal(err)
	}
	f.stop()
	time.AfterFunc(50*time.Millisecond, f.Kill)
	f.ended()
}

func TestStopsInReverse(t *testing.T) {
	f := supervise(t, fast(), "serve", "serve", "serve")
	if err := f.Watch(within(t, 20*time.Second), AllReady); err != nil {
		t.Fatal(err)
	}
	f.stop()
	f.until(0, "the first stops", func(s api.DaemonStatus) bool {
		all := f.Status()
		for i := 1; i < len(all); i++ {
			if all[i-1].State == api.DaemonStopped && all[i].State != api.DaemonStopped {
				t.Errorf("%s stopped before %s", all[i-1].Daemon, all[i].Daemon)
			}
		}
		return s.State == api.DaemonStopped
	})
	f.ended()
}

// What a child leaves behind in its group dies with it, and does not hold up its restart.
func TestGrandchildrenDie(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no process groups")
	}
	f := supervise(t, fast(), "parent")
	var grandchild int
	for deadline := time.Now().Add(20 * time.Second); grandchild == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		if len(f.seen) > 0 {
			grandchild = f.seen[0]
		}
		f.mu.Unlock()
	}
	s := f.Status()[0]
	if grandchild == 0 || s.State != api.DaemonStarting {
		t.Fatalf("no grandchild, or it counts as ready: %+v", s)
	}
	p, err := os.FindProcess(s.PID)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	f.until(0, "started again", func(now api.DaemonStatus) bool { return now.PID != s.PID && now.PID != 0 })
	if took := time.Since(began); took >= outputGrace {
		t.Errorf("the restart took %v", took)
	}
	gone(t, grandchild)
}

func TestOutput(t *testing.T) {
	f := supervise(t, fast(), "chatty")
	f.until(0, "failed", isFailed)
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.lines, "\n")
	for _, want := range []string{"stdout short", "stdout no line feed", "stderr " + strings.Repeat("x", api.MaxLogLine)} {
		if !strings.Contains(all, want) {
			t.Errorf("no line %.40q", want)
		}
	}
	if strings.Contains(all, strings.Repeat("x", api.MaxLogLine+1)) {
		t.Error("a line was not cut")
	}
}

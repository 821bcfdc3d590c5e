package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// talking is a command that writes a word every 10 ms.
func (n *node) talking(word string) *api.Component {
	return n.command(wasmtest.Forever(wasmtest.Out(word+"\n"), wasmtest.Sleep(10*time.Millisecond)))
}

// words is what the worker has written, in order, words that follow themselves once.
func (n *node) words() []string {
	var out []string
	for line := range strings.Lines(n.log(worker)) {
		f := strings.Fields(line)
		out = append(out, f[len(f)-1])
	}
	return slices.Compact(out)
}

func TestStartFirstLeavesNoGap(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.talking("one"))
	n.await(1, api.StateRunning)
	for seq := uint64(2); seq < 6; seq++ {
		told := n.count()
		n.push(worker, n.talking(fmt.Sprint("no", seq)))
		n.await(seq, api.StateRunning)
		want := fmt.Sprintf("compiling/%d starting/%[1]d running", seq-1)
		if got := states(n.since(told)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, f := range n.since(2) {
		if !f.Answers() {
			t.Errorf("nothing runs: %+v", f)
		}
	}
	n.until("the last one writes alone", func() bool {
		tail := n.set.Tail(worker)
		return !slices.ContainsFunc(tail, func(l string) bool { return l != "no5" })
	})
	if got := fmt.Sprint(n.words()); !strings.HasPrefix(got, "[one no2 one no2") {
		t.Errorf("the old version did not go on until the new one was ready: %.200s", got)
	}
}

// TestStopFirst asserts that a command has ended before its successor begins.
func TestStopFirst(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.talking("one"))
	n.await(1, api.StateRunning)
	second := n.talking("two")
	second.Update = &api.Update{Order: api.StopFirst}
	told := n.count()
	n.push(worker, second)
	n.await(2, api.StateRunning)
	if got, want := states(n.since(told)), "compiling/1 starting starting running"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	n.until("it writes", func() bool { return len(n.words()) == 2 })
	if got := fmt.Sprint(n.words()); got != "[one two]" {
		t.Errorf("two at once: %s", got)
	}
}

// TestBadVersionsBesideAGoodOne has five versions fail, each in its own way, while the
// good one goes on; so it does when the process starts again.
func TestBadVersionsBesideAGoodOne(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	before := n.await(1, api.StateRunning)
	running := n.version(worker)
	soon := &api.Update{Deadline: api.Duration(time.Second)}
	for i, bad := range []struct {
		*api.Component
		reason, tail string
	}{
		{n.command(wasmtest.Err("five\n"), wasmtest.Leave(5)), "it was not ready after 1s: exit code 5; version 1 goes on", "five"},
		{n.command(wasmtest.Fault()), "it was not ready after 1s: trap: unreachable; version 1 goes on", ""},
		{n.command(wasmtest.Sleep(100*time.Millisecond), wasmtest.Leave(1)), "it was not ready after 1s: exit code 1; version 1 goes on", ""},
		{&api.Component{Module: n.program(wasmtest.Functions())}, "it exports no functions: build it as a WASI command, which exports _start; version 1 goes on", ""},
		{n.command(wasmtest.Err("once\n"), wasmtest.Leave(7)), "exit code 7; version 1 goes on", "once"},
	} {
		bad.Update, bad.Health = soon, &api.Health{Alive: api.Duration(time.Minute)} // it ends sooner on any machine
		if i == 4 {
			bad.Restart = api.RestartNever
		}
		told := n.count()
		n.push(worker, bad.Component)
		f := n.await(uint64(i+2), api.StateFailed)
		if f.Serving != 1 || f.Reason != bad.reason || !strings.Contains(strings.Join(f.Tail, " "), bad.tail) {
			t.Errorf("%d: %+v", i, f)
		}
		if slices.ContainsFunc(f.Tail, func(l string) bool { return strings.Contains(l, "line") }) {
			t.Errorf("%d: what version 1 wrote is told of it: %q", i, f.Tail)
		}
		for _, f := range n.since(told) {
			if f.Serving != 1 {
				t.Errorf("%d: version 1 does not go on: %+v", i, f)
			}
		}
	}
	if n.version(worker) != running {
		t.Error("version 1 was started anew")
	}
	next := 0
	for line := range strings.Lines(n.log(worker)) {
		var i int
		if _, text, ok := strings.Cut(line, "stdout "); ok {
			if _, err := fmt.Sscanf(text, "line %d", &i); err != nil || i != next {
				t.Fatalf("%q: want line %d", line, next)
			}
			next++
		}
	}
	n.again()
	n.owe(worker, api.DutyRun, "")
	if f := n.await(6, api.StateFailed); f.Serving != 1 {
		t.Errorf("after a restart: %+v", f)
	}
	n.push(worker, n.counting())
	if f := n.await(7, api.StateRunning); f.Serving != 0 || !f.Since.After(before.Since) {
		t.Errorf("%+v", f)
	}
}

// TestCrashLoopBesideAGoodVersion shows how a version fails over and over.
func TestCrashLoopBesideAGoodVersion(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	n.push(worker, n.command(wasmtest.Err("no\n"), wasmtest.Leave(3)))
	n.until("it was started three times", func() bool { f := n.last(); return f.State == api.StateBackoff && f.Restarts == 3 })
	f := n.last()
	if f.Serving != 1 || !strings.HasPrefix(f.Reason, "exit code 3; started again after ") || fmt.Sprint(f.Tail) != "[no no no no]" {
		t.Errorf("%+v", f)
	}
	n.push(worker, n.counting()) // the newest is what runs already
	if f := n.await(3, api.StateRunning); f.Serving != 0 || f.Restarts != 0 {
		t.Errorf("%+v", f)
	}
}

// TestStopFirstGoesBack has versions fail for which the one before was stopped.
func TestStopFirstGoesBack(t *testing.T) {
	for name, c := range map[string]struct {
		steps    []wasmtest.Step
		deadline time.Duration
		reason   string
		words    string
	}{
		"three times": {[]wasmtest.Step{wasmtest.Err("no\n"), wasmtest.Leave(3)}, time.Minute, "it has failed 3 times: exit code 3; version 1 goes on", "[one no one three]"},
		"too late":    {[]wasmtest.Step{wasmtest.Sleep(time.Hour)}, 300 * time.Millisecond, "it was not ready after 300ms: it is starting; version 1 goes on", "[one three]"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.push(worker, n.talking("one"))
			n.await(1, api.StateRunning)
			bad := n.command(c.steps...)
			bad.Update = &api.Update{Order: api.StopFirst, Deadline: api.Duration(c.deadline)}
			bad.Health = &api.Health{Alive: api.Duration(time.Minute)}
			n.push(worker, bad)
			n.await(2, api.StateFailed)
			n.until("version 1 is back", func() bool { return n.last().Serving == 1 })
			if f := n.last(); f.Reason != c.reason || f.State != api.StateFailed {
				t.Errorf("%+v", f)
			}
			if s, ok := n.set.Kept.Load(worker); !ok || s.Seq != 1 {
				t.Errorf("kept: %d, %v", s.Seq, ok)
			}
			lines := strings.Count(n.log(worker), "stdout one")
			n.until("version 1 writes again", func() bool { return strings.Count(n.log(worker), "stdout one") > lines })
			good := n.talking("three")
			good.Update = bad.Update
			n.push(worker, good)
			n.await(3, api.StateRunning)
			n.until("it writes", func() bool { return slices.Contains(n.words(), "three") })
			if got := fmt.Sprint(n.words()); got != c.words {
				t.Error(got)
			}
		})
	}
}

// TestNewerWantWhileStopped has the version before be asked for again while the one
// that it was stopped for fails.
func TestNewerWantWhileStopped(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	bad := n.command(wasmtest.Sleep(time.Hour))
	bad.Update = &api.Update{Order: api.StopFirst}
	bad.Health = &api.Health{Alive: api.Duration(time.Minute)}
	n.push(worker, bad)
	n.until("version 1 is stopped", func() bool { v := n.version(worker); return v == nil })
	n.push(worker, n.counting())
	n.await(3, api.StateRunning)
	n.push(worker, bad)
	n.until("version 3 is stopped", func() bool { v := n.version(worker); return v == nil })
	n.push(worker, nil)
	n.await(5, api.StateRemoved)
}

// TestNothingGoodToGoBackTo has bad versions follow each other. None is held back for
// one that never came up, and the newest is tried for ever.
func TestNothingGoodToGoBackTo(t *testing.T) {
	n := newNode(t)
	for seq := uint64(1); seq < 5; seq++ {
		bad := n.command(wasmtest.Out(fmt.Sprint(seq, "\n")), wasmtest.Leave(1))
		bad.Update = &api.Update{Deadline: api.Duration(50 * time.Millisecond)}
		if seq > 2 {
			bad.Update.Order = api.StopFirst
		}
		n.push(worker, bad)
		n.until("it is tried again and again", func() bool { f := n.last(); return f.Seq == seq && f.State == api.StateBackoff && f.Restarts == 3 })
		if f := n.last(); f.Serving != 0 {
			t.Errorf("version %d serves", f.Serving)
		}
	}
	if got := fmt.Sprint(n.words()); got != "[1 2 3 4]" {
		t.Errorf("they do not follow each other: %s", got)
	}
	n.push(worker, n.talking("good"))
	n.await(5, api.StateRunning)
}

// TestOneShots has commands follow that end by themselves.
func TestOneShots(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.command(wasmtest.Out("a\n")))
	n.await(1, api.StateExited)
	n.push(worker, n.command(wasmtest.Out("b\n")))
	if f := n.await(2, api.StateExited); f.Serving != 0 {
		t.Errorf("%+v", f)
	}
	n.push(worker, n.talking("c"))
	n.await(3, api.StateRunning)
	n.push(worker, n.command(wasmtest.Out("d\n")))
	n.await(4, api.StateExited)
	n.push(worker, nil)
	n.await(5, api.StateRemoved)
	if got, want := states(n.since(0)), "compiling starting exited compiling starting exited compiling starting running "+
		"compiling/3 starting/3 exited removed"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestRestartPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy api.RestartPolicy
		code   int32
		want   string // the first states
	}{
		"on failure, ends well": {api.RestartOnFailure, 0, "compiling starting exited"},
		"on failure, ends ill":  {api.RestartOnFailure, 2, "compiling starting backoff starting backoff"},
		"always, ends well":     {api.RestartAlways, 0, "compiling starting backoff starting backoff"},
		"always, ends ill":      {api.RestartAlways, 2, "compiling starting backoff starting backoff"},
		"never, ends well":      {api.RestartNever, 0, "compiling starting exited"},
		"never, ends ill":       {api.RestartNever, 2, "compiling starting failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			command := n.command(wasmtest.Out("run\n"), wasmtest.Leave(c.code))
			command.Restart = c.policy
			command.Health = &api.Health{Alive: api.Duration(time.Minute)} // it ends sooner on any machine
			n.push(worker, command)
			want := len(strings.Fields(c.want))
			n.until("that many facts", func() bool { return n.count() >= want })
			time.Sleep(20 * time.Millisecond)
			if got := states(n.since(0)[:want]); got != c.want {
				t.Errorf("got %s", got)
			}
			last := n.since(0)[want-1]
			if c.policy != api.RestartAlways && last.State != api.StateBackoff && n.count() != want {
				t.Errorf("it goes on: %s", states(n.since(0)))
			}
			if c.code == 0 && last.State == api.StateBackoff && !strings.HasPrefix(last.Reason, "it has ended with exit code 0; started again after ") {
				t.Errorf("%+v", last)
			}
			if c.code != 0 && (len(last.Tail) == 0 || !strings.HasPrefix(last.Reason, "exit code 2")) {
				t.Errorf("%+v", last)
			}
		})
	}
}

// TestFailuresEndByThemselves has a command fail until what it waits for is there.
func TestFailuresEndByThemselves(t *testing.T) {
	files, option := withFiles(t)
	n := newNode(t, option)
	c := n.command(wasmtest.IfFile("there", []wasmtest.Step{wasmtest.Out("at last\n"), wasmtest.Sleep(time.Hour)}, []wasmtest.Step{wasmtest.Leave(1)}))
	c.Mounts = []api.Mount{{Host: files.dir, Guest: "/state"}}
	c.Update = &api.Update{Deadline: api.Duration(time.Millisecond)} // nothing waits for it to be ready
	n.push(worker, c)
	n.until("it has failed twice", func() bool { f := n.last(); return f.State == api.StateBackoff && f.Restarts == 1 })
	files.set("there")
	if f := n.await(1, api.StateRunning); f.Restarts < 2 || f.Reason != "" {
		t.Errorf("%d restarts, %s", f.Restarts, f.Reason)
	}
}

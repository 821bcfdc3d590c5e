package workload

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// TestHoldThenRun has a version wait for its turn beside the one that runs.
func TestHoldThenRun(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	told := n.count()
	n.apply(Want{Signed: n.sign(fn, n.constant(2)), Duty: api.DutyHold, Why: "another goes first", News: true})
	f := n.await(2, api.StatePrepared)
	if f.Serving != 1 || f.Reason != "another goes first" || !f.Answers() {
		t.Errorf("%+v", f)
	}
	n.owe(fn, api.DutyHold, "a third goes first")
	n.until("it says for whom", func() bool { return n.last().Reason == "a third goes first" })
	if got, err := n.call(); got != "1" || err != nil {
		t.Error(got, err)
	}
	n.breakLoading(errors.New("no peer has it now")) // it is here already
	n.owe(fn, api.DutyRun, "")
	n.await(2, api.StateRunning)
	if got, want := states(n.since(told)), "compiling/1 prepared/1 prepared/1 running"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, err := n.call(); got != "2" || err != nil {
		t.Error(got, err)
	}
}

// TestHoldWithNothingHere starts what others wait with, since nothing is given up for it.
func TestHoldWithNothingHere(t *testing.T) {
	n := newNode(t)
	n.apply(Want{Signed: n.sign(fn, n.constant(1)), Duty: api.DutyHold, News: true})
	n.await(1, api.StateRunning)
	n.again()
	n.owe(fn, api.DutyHold, "") // it was here, and good
	n.await(1, api.StateRunning)
}

// TestHoldEndsWhenNothingGoesOn has the version that ran end for good meanwhile.
func TestHoldEndsWhenNothingGoesOn(t *testing.T) {
	files, option := withFiles(t)
	n := newNode(t, option)
	first := n.command(wasmtest.Forever(wasmtest.IfFile("end", []wasmtest.Step{wasmtest.Leave(1)}, []wasmtest.Step{wasmtest.Sleep(20 * time.Millisecond)})))
	first.Mounts, first.Restart = []api.Mount{{Host: files.dir, Guest: "/state"}}, api.RestartNever
	n.push(worker, first)
	n.await(1, api.StateRunning)
	n.apply(Want{Signed: n.sign(worker, n.talking("two")), Duty: api.DutyHold, Why: "another goes first", News: true})
	if f := n.await(2, api.StatePrepared); f.Serving != 1 {
		t.Errorf("%+v", f)
	}
	files.set("end")
	n.await(2, api.StateRunning)
}

// TestHeldVersionThatIsBad fails before its turn comes.
func TestHeldVersionThatIsBad(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	n.apply(Want{Signed: n.sign(worker, &api.Component{Module: n.program(wasmtest.Functions())}), Duty: api.DutyHold, News: true})
	if f := n.await(2, api.StateFailed); f.Serving != 1 {
		t.Errorf("%+v", f)
	}
	n.owe(worker, api.DutyKeep, "it goes on")
	if f := n.await(2, api.StatePending); f.Serving != 1 || f.Reason != "it goes on" {
		t.Errorf("%+v", f)
	}
	n.owe(worker, api.DutyRun, "")
	if f := n.await(2, api.StateFailed); f.Serving != 1 || !strings.Contains(f.Reason, "build it as a WASI command") {
		t.Errorf("%+v", f)
	}
}

func TestKeepStartsNothingNew(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	running := n.version(worker)
	n.owe(worker, api.DutyKeep, "others are not ready")
	n.push(fn, n.constant(1))
	n.until("the function runs", func() bool { return n.of(fn).State == api.StateRunning })
	bad := n.command(wasmtest.Leave(1))
	n.push(worker, bad)
	n.until("version 2 is tried", func() bool { return n.last().State == api.StateBackoff })
	n.owe(worker, api.DutyKeep, "others are not ready")
	f := n.await(2, api.StatePending)
	if f.Serving != 1 || f.Reason != "others are not ready" || n.version(worker) != running {
		t.Errorf("%+v", f)
	}
	n.again()
	n.owe(worker, api.DutyKeep, "others are not ready")
	if f := n.await(2, api.StatePending); f.Serving != 1 {
		t.Errorf("after a restart: %+v", f)
	}
	n.owe(worker, api.DutyNone, "others are ready")
	if f := n.await(2, api.StateRemoved); f.Reason != "others are ready" || n.set.Has(worker) {
		t.Errorf("%+v", f)
	}
	n.again()
	n.owe(worker, api.DutyKeep, "others are not ready")
	n.owe(fn, api.DutyKeep, "others are not ready")
	n.await(1, api.StateRunning)
	if got := states(n.since(0)); got != "compiling running" { // of the function, which was kept
		t.Errorf("facts of what is not here: %s", got)
	}
}

func TestNoneStopsEvenWhatProvesItself(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	slow := n.command(wasmtest.Sleep(time.Hour))
	slow.Health = &api.Health{Alive: api.Duration(time.Minute)}
	n.push(worker, slow)
	n.await(2, api.StateStarting)
	if !n.set.Has(worker) {
		t.Error("it does not say that it runs")
	}
	n.owe(worker, api.DutyNone, "another runs it")
	n.await(2, api.StateRemoved)
	if _, _, err := n.set.Component(worker.Name); !errors.Is(err, ErrUnknown) || n.set.Has(worker) {
		t.Error(err)
	}
}

// TestLast has a node step in while the wanted version comes up nowhere.
func TestLast(t *testing.T) {
	for name, bad := range map[string]func(*node) *api.Component{
		"crashes":        func(n *node) *api.Component { return n.command(wasmtest.Leave(1)) },
		"cannot run":     func(n *node) *api.Component { return &api.Component{Module: n.program(wasmtest.Functions())} },
		"is not there":   func(*node) *api.Component { return &api.Component{Module: api.Program{Blob: api.Sum(nil), Size: 1}} },
		"waits its turn": func(n *node) *api.Component { return n.command(wasmtest.Sleep(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			good := n.sign(worker, n.counting())
			w := Want{Signed: n.sign(worker, bad(n)), Duty: api.DutyRun, News: true, Last: &good}
			if name == "waits its turn" {
				w.Duty = api.DutyHold
			}
			n.apply(w)
			n.until("version 1 runs", func() bool { return n.last().Serving == 1 })
			if f := n.last(); f.Seq != 2 {
				t.Errorf("%+v", f)
			}
			running := n.version(worker)
			n.push(worker, n.counting())
			n.await(3, api.StateRunning)
			if n.version(worker) != running {
				t.Error("what ran was started anew")
			}
		})
	}
	t.Run("the newest comes up", func(t *testing.T) {
		n := newNode(t)
		good := n.sign(worker, n.talking("one"))
		n.apply(Want{Signed: n.sign(worker, n.talking("two")), Duty: api.DutyRun, News: true, Last: &good})
		n.await(2, api.StateRunning)
	})
	t.Run("comes later", func(t *testing.T) {
		n := newNode(t)
		good := n.sign(fn, n.constant(1))
		w := Want{Signed: n.sign(fn, &api.Function{Module: n.program(wasmtest.Functions())}), Duty: api.DutyRun, News: true}
		n.apply(w)
		n.await(2, api.StateFailed)
		w.Last = &good
		n.apply(w)
		n.until("version 1 answers", func() bool { return n.last().Serving == 1 })
		if got, err := n.call(); got != "1" || err != nil {
			t.Error(got, err)
		}
	})
}

// TestKeptVersionRunsBeforeTheNewest has the process start again while the newest
// version has to wait, cannot be had, or is not to be started here.
func TestKeptVersionRunsBeforeTheNewest(t *testing.T) {
	for duty, state := range map[api.Duty]api.State{api.DutyHold: api.StatePrepared, api.DutyKeep: api.StatePending, api.DutyRun: api.StateStarting} {
		t.Run(string(duty), func(t *testing.T) {
			n := newNode(t)
			n.push(worker, n.counting())
			n.await(1, api.StateRunning)
			n.stop()
			n.begin()
			if !n.set.Has(worker) || n.set.Has(fn) {
				t.Error("it does not know what was here")
			}
			slow := n.command(wasmtest.Sleep(time.Hour))
			slow.Health = &api.Health{Alive: api.Duration(time.Minute)}
			n.sign(worker, slow)
			n.owe(worker, duty, "why")
			f := n.await(2, state)
			if f.Serving != 1 { // also while it is being brought back
				t.Errorf("%+v", f)
			}
			n.until("version 1 writes", func() bool { return len(n.lines()) > 3 })
		})
	}
}

// TestStoppedWhateverTheDuty stops at once, and says so where it would run.
func TestStoppedWhateverTheDuty(t *testing.T) {
	for duty, want := range map[api.Duty]api.State{api.DutyRun: api.StateStopped, api.DutyHold: api.StateStopped,
		api.DutyKeep: api.StateRemoved, api.DutyNone: api.StateRemoved} {
		t.Run(string(duty), func(t *testing.T) {
			n := newNode(t)
			n.push(fn, n.constant(1))
			n.await(1, api.StateRunning)
			stopped := n.constant(1)
			stopped.Stopped = true
			n.sign(fn, stopped)
			n.owe(fn, duty, "")
			n.await(2, want)
			if n.version(fn) != nil || n.set.Has(fn) {
				t.Error("it is still here")
			}
		})
	}
}

// TestIdleCostsNoGoroutine has many functions run that nobody calls.
func TestIdleCostsNoGoroutine(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	before := runtime.NumGoroutine()
	const many = 300
	var last intent.Signed
	for i := range many {
		ref := api.Ref{Kind: api.KindFunction, Name: api.Name("f" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + string(rune('a'+i/26)))}
		last = n.sign(ref, n.constant(byte(i%60)))
		n.apply(Want{Signed: last, Duty: api.DutyRun, News: true})
	}
	n.until("all run", func() bool {
		running := 0
		for _, f := range n.since(0) {
			if f.State == api.StateRunning {
				running++
			}
		}
		return running == many+1
	})
	n.until("all goroutines have gone", func() bool { return runtime.NumGoroutine() <= before+5 })
}

// TestRetriesAreKeptApart has a program that cannot run take nothing from the pauses of
// the next version.
func TestRetriesAreKeptApart(t *testing.T) {
	n := newNode(t)
	n.breakLoading(errors.New("no peer has it"))
	n.push(fn, n.constant(1))
	n.await(1, api.StatePending)
	n.breakLoading(program.Refuse("broken"))
	n.await(1, api.StateFailed)
	n.breakLoading(nil)
	n.push(fn, n.constant(2))
	n.await(2, api.StateRunning)
}

package workload

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// counting is a command that writes the numbers from 0 on, one every 20 ms.
func (n *node) counting() *api.Component {
	var steps []wasmtest.Step
	for i := range 1000 {
		steps = append(steps, wasmtest.Out(fmt.Sprintf("line %d\n", i)), wasmtest.Sleep(20*time.Millisecond))
	}
	return n.command(steps...)
}

// lines are the numbers that a counting command has written last.
func (n *node) lines() (out []int) {
	n.t.Helper()
	for _, l := range n.set.Tail(worker) {
		var i int
		if _, err := fmt.Sscanf(l, "line %d", &i); err != nil {
			n.t.Fatal(l, err)
		}
		out = append(out, i)
	}
	return out
}

// TestSameProgramGoesOn has new versions ask for what runs already.
func TestSameProgramGoesOn(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	before := n.await(1, api.StateRunning)
	running := n.version(worker)
	for seq := uint64(2); seq < 5; seq++ {
		told := n.count()
		n.push(worker, n.counting())
		f := n.await(seq, api.StateRunning)
		if f.Intent != n.prev[worker].Digest || !f.Since.Equal(before.Since) || f.Restarts != 0 || f.Serving != 0 {
			t.Errorf("%+v, was %+v", f, before)
		}
		if more := n.count() - told; more != 1 || n.version(worker) != running {
			t.Errorf("%d facts; the same process: %v", more, n.version(worker) == running)
		}
	}
	last := n.lines()
	n.until("it writes on", func() bool { got := n.lines(); return got[len(got)-1] > last[len(last)-1]+5 })
	for got := n.lines(); len(got) > 1; got = got[1:] {
		if got[1] != got[0]+1 {
			t.Errorf("line %d after %d", got[1], got[0])
		}
	}
	// After a start of the process the version that was adopted is the one to go back to.
	n.stop()
	n.begin()
	if s, ok := n.set.Kept.Load(worker); !ok || s.Seq != 4 {
		t.Errorf("kept: %d %v", s.Seq, ok)
	}
	n.apply(Want{Signed: n.prev[worker], Duty: api.DutyRun})
	n.await(4, api.StateRunning)
	again := n.version(worker)
	other := n.counting()
	other.Args = []string{"x"}
	n.push(worker, other)
	if f := n.await(5, api.StateRunning); !f.Since.After(before.Since) || n.version(worker) == again {
		t.Errorf("other settings did not start it anew: %+v", f)
	}
}

// TestSameProgramInEveryState asks again for what is not running.
func TestSameProgramInEveryState(t *testing.T) {
	for state, steps := range map[api.State][]wasmtest.Step{
		api.StateExited:  {wasmtest.Out("once\n")},
		api.StateBackoff: {wasmtest.Out("once\n"), wasmtest.Leave(1)},
	} {
		t.Run(string(state), func(t *testing.T) {
			n := newNode(t)
			n.push(worker, n.command(steps...))
			before := n.await(1, state)
			runs := len(n.set.Tail(worker))
			n.push(worker, n.command(steps...))
			f := n.await(2, state)
			if !f.Since.Equal(before.Since) || f.Restarts != before.Restarts || f.Reason != before.Reason || len(n.set.Tail(worker)) != runs {
				t.Errorf("%+v, was %+v", f, before)
			}
		})
	}
	t.Run("stopped", func(t *testing.T) {
		n := newNode(t)
		stopped := n.counting()
		stopped.Stopped = true
		n.push(worker, stopped)
		n.await(1, api.StateStopped)
		n.push(worker, stopped)
		n.await(2, api.StateStopped)
	})
	t.Run("failed", func(t *testing.T) { // pushed again, it may work
		n := newNode(t)
		n.breakLoading(program.Refuse("broken"))
		n.push(fn, n.constant(1))
		n.await(1, api.StateFailed)
		n.breakLoading(nil)
		n.push(fn, n.constant(1))
		n.await(2, api.StateRunning)
	})
}

// TestBackToWhatGoesOn asks again for the version that serves while a newer one fails.
func TestBackToWhatGoesOn(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	running := n.version(worker)
	n.push(worker, &api.Component{Module: n.program(wasmtest.Functions())})
	if f := n.await(2, api.StateFailed); f.Serving != 1 {
		t.Errorf("%+v", f)
	}
	n.push(worker, n.counting())
	if f := n.await(3, api.StateRunning); f.Serving != 0 || n.version(worker) != running {
		t.Errorf("%+v", f)
	}
}

func TestNothingIsWantedAnyMore(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.counting())
	n.await(1, api.StateRunning)
	w := Want{Signed: n.prev[worker], Duty: api.DutyRun, Lost: "its signer's key counts no more"}
	n.apply(w)
	if f := n.await(1, api.StateRemoved); f.Reason != w.Lost {
		t.Errorf("%+v", f)
	}
	if _, _, err := n.set.Component(worker.Name); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if len(n.set.Tail(worker)) == 0 {
		t.Error("its log is gone, too: only the owner's rm removes that")
	}
	if _, ok := n.set.Kept.Load(worker); ok {
		t.Error("it would come back")
	}
	w.Lost = ""
	n.apply(w)
	n.await(1, api.StateRunning)
}

// TestFallenVersionDoesNotGoOn has the signer of the version that serves lose its say.
func TestFallenVersionDoesNotGoOn(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	good := n.prev[fn]
	n.breakLoading(program.Refuse("broken"))
	n.push(fn, n.constant(2))
	n.await(2, api.StateFailed)
	bad := Want{Signed: n.prev[fn], Duty: api.DutyRun}
	n.apply(bad) // nothing has changed
	if got, err := n.call(); got != "1" || err != nil {
		t.Error(got, err)
	}
	n.fell(good)
	n.apply(bad)
	n.until("version 1 ends", func() bool { return n.last().Serving == 0 })
	if _, err := n.call(); err == nil {
		t.Error("it goes on to answer")
	}
	n.stop()
	n.begin()
	n.apply(bad)
	if f := n.await(2, api.StateFailed); f.Serving != 0 {
		t.Errorf("after a restart: %+v", f)
	}
}

// TestNewerThanThisVersion has a body come that only a newer version can read.
func TestNewerThanThisVersion(t *testing.T) {
	n := newNode(t)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	s := n.sign(fn, n.constant(2))
	s.Body = []byte(strings.Replace(string(s.Body), "{", `{"colour":"blue",`, 1))
	n.apply(Want{Signed: s, Duty: api.DutyRun, News: true})
	f := n.await(2, api.StateFailed)
	if !strings.Contains(f.Reason, "needs a newer version of Realm") || f.Serving != 1 {
		t.Errorf("%+v", f)
	}
	if got, err := n.call(); got != "1" || err != nil {
		t.Error(got, err)
	}
	n.stop()
	n.begin()
	n.apply(Want{Signed: s, Duty: api.DutyRun})
	if f := n.await(2, api.StateFailed); f.Serving != 1 {
		t.Errorf("after a restart: %+v", f)
	}
}

// TestWhatIsNotHereTakesNoActor removes what the node was not told of before.
func TestWhatIsNotHereTakesNoActor(t *testing.T) {
	n := newNode(t)
	fresh := n.sign(fn, nil)
	n.apply(Want{Signed: fresh, Duty: api.DutyRun, News: true})
	n.await(1, api.StateRemoved)
	n.push(worker, n.command(wasmtest.Sleep(time.Hour)))
	n.await(1, api.StateRunning)
	n.set.mu.RLock()
	defer n.set.mu.RUnlock()
	if len(n.set.actors) != 1 {
		t.Errorf("%d actors", len(n.set.actors))
	}
}

package workload

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// small is a node with memory for one command of 60 MiB, that looks again at what it
// has refused after some 200 ms.
func small(n *node) {
	n.room.MemoryMB = 100
	n.wait = 200 * time.Millisecond
}

func (n *node) sized(mb int, steps ...wasmtest.Step) *api.Component {
	c := n.command(append(steps, wasmtest.Sleep(time.Hour))...)
	c.Module.Limits.MemoryMaxMB = mb
	return c
}

var rival = api.Ref{Kind: api.KindComponent, Name: "rival"}

// of is the last fact about a workload.
func (n *node) of(ref api.Ref) (last api.WorkloadFact) {
	for _, f := range n.since(0) {
		if f.Ref == ref {
			last = f
		}
	}
	return last
}

func TestRefusalStandsUntilThereIsRoom(t *testing.T) {
	n := newNode(t, small)
	n.push(rival, n.sized(60))
	n.await(1, api.StateRunning)
	n.push(worker, n.sized(60, wasmtest.Out("x\n")))
	f := n.await(1, api.StateRefused)
	if !strings.Contains(f.Reason, "realm configure --capacity-mb") || f.Answers() {
		t.Error(f.Reason)
	}
	told := n.count()
	for _, duty := range []api.Duty{api.DutyNone, api.DutyRun, api.DutyHold, api.DutyNone} { // as others step in, or not
		n.owe(worker, duty, "it has refused")
		time.Sleep(250 * time.Millisecond)
	}
	if more := n.since(told); len(more) != 0 {
		t.Errorf("told of a refusal that stands: %s", states(more))
	}
	n.push(rival, nil)
	n.until("it would be taken", func() bool { return n.of(worker).State == api.StateRemoved })
	n.owe(worker, api.DutyRun, "")
	n.await(1, api.StateRunning)
}

func TestRefusalEndsByItself(t *testing.T) {
	n := newNode(t, small)
	n.push(rival, n.sized(60))
	n.await(1, api.StateRunning)
	n.push(worker, n.sized(60))
	n.await(1, api.StateRefused)
	begun := time.Now()
	n.push(rival, nil)
	n.until("it runs", func() bool { return n.of(worker).State == api.StateRunning })
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("looked at again after %s", took)
	}
}

func TestRefusalGoesWithItsVersion(t *testing.T) {
	n := newNode(t, small)
	n.wait = time.Hour
	n.again()
	n.push(worker, n.sized(160))
	n.await(1, api.StateRefused)
	n.push(worker, n.sized(60)) // another version may be taken
	n.await(2, api.StateRunning)
	n.push(worker, n.sized(160))
	if f := n.await(3, api.StateRefused); f.Serving != 2 {
		t.Errorf("the good version does not go on: %d", f.Serving)
	}
	n.owe(worker, api.DutyKeep, "others are not ready")
	time.Sleep(50 * time.Millisecond)
	if f := n.last(); f.State != api.StateRefused || f.Serving != 2 {
		t.Errorf("%s, %d", f.State, f.Serving)
	}
	n.apply(Want{Signed: n.prev[worker], Duty: api.DutyNone, Unfit: true, Why: "its target names other peers"})
	n.await(3, api.StateRemoved)
	n.push(worker, n.sized(160))
	n.await(4, api.StateRefused)
	n.push(worker, nil)
	n.await(5, api.StateRemoved)
}

// TestReplacingNeedsNoRoomForBoth has versions take each other's place on a node that
// has no room for two.
func TestReplacingNeedsNoRoomForBoth(t *testing.T) {
	n := newNode(t, small)
	for i, mb := range []int{60, 60, 90, 60} {
		n.push(worker, n.sized(mb, wasmtest.Out(fmt.Sprint(i, "\n"))))
		n.await(uint64(i+1), api.StateRunning)
	}
	n.push(rival, n.sized(50))
	n.await(1, api.StateRefused)
	n.push(rival, n.sized(40)) // the 90 were given back
	n.await(2, api.StateRunning)
}

// TestEndedCommandsTakeNoMemory gives the room of what has ended to others.
func TestEndedCommandsTakeNoMemory(t *testing.T) {
	n := newNode(t, small)
	once := n.sized(90, wasmtest.Leave(0))
	n.push(worker, once)
	n.await(1, api.StateExited)
	n.push(rival, n.sized(90))
	n.await(1, api.StateRunning)
}

// TestNoRoomOnTheDisk is refused here, and others may have room.
func TestNoRoomOnTheDisk(t *testing.T) {
	n := newNode(t, small)
	n.push(fn, n.constant(1))
	n.await(1, api.StateRunning)
	n.breakLoading(fmt.Errorf("fetch program: %w: free some space there", disk.ErrFull))
	n.push(fn, n.constant(2))
	if f := n.await(2, api.StateRefused); f.Serving != 1 || !strings.Contains(f.Reason, "free some space") {
		t.Errorf("%d, %s", f.Serving, f.Reason)
	}
	n.breakLoading(errors.New("no peer has it now")) // nobody knows whether there is room
	time.Sleep(400 * time.Millisecond)
	if f := n.last(); f.State != api.StateRefused {
		t.Errorf("%s: %s", f.State, f.Reason)
	}
	n.breakLoading(nil)
	n.await(2, api.StateRunning)
}

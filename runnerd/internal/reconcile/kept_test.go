package reconcile

import (
	"testing"

	"github.com/realm-mesh/realm/api"
)

// TestKeptOnDisk has runnerd start again: what it ran counts until its facts tell.
func TestKeptOnDisk(t *testing.T) {
	ref := selfAt(t, 3, 3, 2)
	others := othersOf(ref, 3, 2)
	for _, kept := range []bool{true, false} {
		withNode(t, func(n *node) {
			n.kept[ref] = kept
			n.joined(3)
			s := sign(n, owner, ref, 1, component(1, 2))
			n.bucket[s.Slot().Key()] = s.Envelope
			n.restart()
			want := api.DutyNone
			if kept {
				want = api.DutyKeep
			}
			n.isDuty("others have said nothing yet", ref, want)
			n.say(self, s, api.StateFetching)
			n.isDuty("it is brought back", ref, want)
			n.hear(others...)
			n.say(others[0], s, api.StateRunning)
			n.isDuty("one of two is ready", ref, want)
			n.say(others[1], s, api.StateRunning)
			if kept {
				n.isGivenUp("both are ready", ref)
			}
			n.say(others[1], s, api.StateStarting)
			n.isDuty("nothing is left that could be kept", ref, api.DutyNone)
		})
	}
}

// TestKeptDoesNotOutliveItsEnd has what was kept not come up: it counts until it is
// given up.
func TestKeptDoesNotOutliveItsEnd(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.kept[ref] = true
		n.joined(2)
		n.hear(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.bucket[s.Slot().Key()] = s.Envelope
		n.restart()
		n.isDuty("kept", ref, api.DutyKeep)
		for _, at := range []api.State{api.StateFetching, api.StateStarting, api.StateBackoff, api.StateStarting, api.StateUnhealthy} {
			n.say(self, s, at)
			n.isDuty(string(at), ref, api.DutyKeep)
		}
		n.say(2, s, api.StateRunning)
		n.isDuty("it ran elsewhere, where nobody is to be heard", ref, api.DutyKeep)
		n.hear(2)
		n.isDuty("it does not run here, and does elsewhere", ref, api.DutyNone)
		n.say(2, s, api.StateStarting)
		n.isDuty("nothing is left", ref, api.DutyNone)
	})
	withNode(t, func(n *node) {
		n.kept[ref] = true
		n.joined(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.bucket[s.Slot().Key()] = s.Envelope
		n.restart()
		n.say(self, s, api.StateFailed)
		n.isDuty("it may come back", ref, api.DutyKeep)
		n.kept[ref] = false
		n.say(self, s, api.StateRemoved)
		n.isDuty("it does not", ref, api.DutyNone)
	})
}

// TestHoldAfterStart has this node start again while a new version fails elsewhere.
func TestHoldAfterStart(t *testing.T) {
	ref := selfAt(t, 2, 3, 0)
	first := othersOf(ref, 3, 0)[0]
	withNode(t, func(n *node) {
		n.kept[ref] = true
		n.joined(3)
		two := sign(n, owner, ref, 2, component(2, 0))
		n.bucket[two.Slot().Key()] = two.Envelope
		n.stop()
		n.start()
		n.show(memberOf(n, 1), memberOf(n, 2), memberOf(n, 3), two)
		n.rec.Begin(Records)
		n.hear(2, 3)
		n.rec.End(Records)
		n.rec.Begin(Facts)
		n.say(first, two, api.StateFailed, serving(1))
		n.rec.End(Facts)
		n.rec.End(Intents)
		n.settle()
		n.isDuty("started", ref, api.DutyHold)
		n.say(self, two, api.StateFetching)
		n.isDuty("what is kept has not come up yet", ref, api.DutyHold)
		n.say(self, two, api.StatePrepared, serving(1))
		n.isDuty("it has", ref, api.DutyHold)
	})
}

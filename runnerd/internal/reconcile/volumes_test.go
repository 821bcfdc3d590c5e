package reconcile

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

// stateful is a component with a volume.
func stateful(v byte, replicas int) *api.Component {
	c := component(v, replicas)
	c.Mounts = []api.Mount{{Kind: api.MountState, Guest: "/data", Volume: "cart"}}
	return c
}

// TestStateStays: a replica goes where its volume is, and waits for it.
func TestStateStays(t *testing.T) {
	ref := selfAt(t, 1, 3, 1)
	other := othersOf(ref, 3, 1)[0]
	withNode(t, func(n *node) {
		n.joined(3)
		n.hear(2, 3)
		holds := func(who ...int) {
			var all []api.PeerID
			for _, p := range who {
				all = append(all, peer(p))
			}
			n.held = map[api.Name][]api.PeerID{"cart": all}
			n.rec.Held()
			n.settle()
		}
		says := func(want string) {
			n.Helper()
			x, err := n.rec.Explain(ref)
			check(n, err)
			if !strings.Contains(x.Pending, want) || want == "" && x.Pending != "" {
				n.Errorf("pending: %q, want %q", x.Pending, want)
			}
		}
		one := sign(n, owner, ref, 1, stateful(1, 1))
		n.show(one)
		n.isDuty("nobody has it", ref, api.DutyRun)
		holds(other)
		n.isDuty("another has it", ref, api.DutyNone)
		says("")
		n.rec.RecordGone(peer(other))
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.isDuty("who has it is away", ref, api.DutyNone)
		says("blocked: volume cart on …" + peer(other).Short() + " (host), which is not heard of")
		if x, err := n.rec.Explain(ref); err != nil || x.Desired != 0 {
			n.Errorf("%+v, %v", x, err)
		}
		holds()
		n.isDuty("it was abandoned", ref, api.DutyRun)
		holds(self)
		n.say(self, one, api.StateRunning)
		n.hear(other)
		n.isDuty("it is here, and the other one back", ref, api.DutyRun)
		n.show(sign(n, owner, ref, 2, stateful(2, 1), tags("elsewhere")))
		n.isDuty("the target leaves out this node", ref, api.DutyNone)
		says("blocked: volume cart on …" + peer(self).Short() + ", which cannot run it: it has no tag elsewhere")
	})
}

package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestAway tells since when members have not been heard of.
func TestAway(t *testing.T) {
	withNode(t, func(n *node) {
		n.joined(4)
		n.hear(2, 3)
		began := stamp(time.Now().Add(-4 * burst))
		since := time.Now().Add(-time.Hour)
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(4), Host: "d"}, Since: since})
		time.Sleep(time.Minute)
		n.rec.RecordGone(peer(3))
		lost := time.Now()
		s := sign(n, owner, web, 1, component(1, 3))
		n.show(memberOf(n, 5), s)
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.say(2, s, api.StateFailed)
		n.say(self, s, api.StateRunning)
		x, err := n.rec.Explain(web)
		check(n, err)
		why := map[api.PeerID]string{}
		for i, m := range x.Members {
			if away := m.Peer != peer(self) && m.Peer != peer(2); away != (i >= 2) || away == m.Live || away != (m.Rank == 0) {
				n.Errorf("row %d: %+v", i, m)
			}
			why[m.Peer] = m.Why
		}
		for p, want := range map[int]string{
			3: "it has not been heard of since " + stamp(lost),
			4: "it has not been heard of since " + stamp(since),
			5: "it has not been heard of since " + began + ", when this node started",
		} {
			if got := why[peer(p)]; got != want {
				n.Errorf("peer %d: %q, want %q", p, got, want)
			}
		}
		if x.Desired != 2 || x.Running != 1 || x.Updated != 1 || x.Pending != "2 of 3 can run: 3 members have not been heard of" {
			n.Errorf("%+v", x)
		}
	})
}

func TestPending(t *testing.T) {
	for name, c := range map[string]struct {
		whys map[string]int
		want string
	}{
		"one":      {map[string]int{"it is drained": 1}, "1 member is drained"},
		"several":  {map[string]int{"it is drained": 2}, "2 members are drained"},
		"have":     {map[string]int{"it has no tag gpu": 3, "it is drained": 1}, "3 members have no tag gpu, 1 is drained"},
		"in order": {map[string]int{"it has refused": 1, "it is drained": 1}, "1 member has refused, 1 is drained"},
		"others":   {map[string]int{"its target names other peers": 2, "it has refused": 4}, "4 members have refused, 2 are not among the peers that its target names"},
		"else":     {map[string]int{"it needs 512 MiB, the member gives 256": 2}, "2 members: it needs 512 MiB, the member gives 256"},
	} {
		if got := reasons(c.whys); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestStopped counts nothing of what the owner has stopped.
func TestStopped(t *testing.T) {
	withNode(t, func(n *node) {
		c := component(1, 2)
		c.Stopped = true
		s := sign(n, owner, web, 1, c)
		n.show(s)
		n.say(self, s, api.StateStopped)
		n.isDuty("stopped", web, api.DutyRun)
		x, err := n.rec.Explain(web)
		check(n, err)
		if x.Desired != 0 || x.Pending != "" || x.Running != 0 || n.rec.Counts() != (Counts{}) {
			n.Errorf("%+v %+v", x, n.rec.Counts())
		}
	})
}

func TestCounts(t *testing.T) {
	withNode(t, func(n *node) {
		is := func(step string, want Counts) {
			n.Helper()
			if got := n.rec.Counts(); got != want {
				n.Errorf("%s: %+v, want %+v", step, got, want)
			}
		}
		s := sign(n, owner, web, 1, component(1, 0))
		n.show(s, sign(n, owner, double, 1, function(1)))
		is("pushed", Counts{Desired: 1, Drift: 1})
		n.say(self, s, api.StateRunning)
		is("running", Counts{Desired: 1, Running: 1})
		two := sign(n, owner, web, 2, component(2, 0))
		n.show(two)
		n.say(self, two, api.StateFailed, serving(1))
		is("the next one fails", Counts{Desired: 1, Running: 1, Drift: 1})
		n.show(sign(n, owner, web, 3, nil))
		n.say(self, two, api.StateRemoved)
		is("removed", Counts{})
	})
}

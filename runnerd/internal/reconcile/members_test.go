package reconcile

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// ranked lists the peers 1 to n in the order in which they rank for a component.
func ranked(w placement.Workload, n int) []int {
	var members []placement.Member
	number := map[api.PeerID]int{}
	for p := 1; p <= n; p++ {
		members = append(members, placement.Member{Peer: peer(p), Capacity: api.Capacity{CPUs: 1}})
		number[peer(p)] = p
	}
	var out []int
	for _, p := range placement.PlaceAll([]placement.Workload{w}, members)[w.Ref].In {
		out = append(out, number[p])
	}
	return out
}

// selfAt is the name of a component for which this node has the rank, from 1, among
// the peers 1 to n.
func selfAt(t testing.TB, rank, n, replicas int) api.Ref {
	t.Helper()
	for i := range 1000 {
		ref := api.Ref{Kind: api.KindComponent, Name: api.Name("c" + string(rune('a'+i%26)) + string(rune('a'+i/26)))}
		w := placement.Workload{Ref: ref, Replicas: replicas, MemoryMB: api.DefaultMemoryMB}
		if slices.Index(ranked(w, n), self) == rank-1 {
			return ref
		}
	}
	t.Fatal("no name has this rank")
	return api.Ref{}
}

func othersOf(ref api.Ref, n, replicas int) []int {
	all := ranked(placement.Workload{Ref: ref, Replicas: replicas, MemoryMB: api.DefaultMemoryMB}, n)
	return slices.DeleteFunc(all, func(p int) bool { return p == self })
}

// joined makes the peers 1 to n members.
func (n *node) joined(count int) {
	n.Helper()
	var all []intent.Signed
	for p := 1; p <= count; p++ {
		all = append(all, memberOf(n, p))
	}
	n.show(all...)
}

// TestWhoIsUp has the two that rank before this node come and go.
func TestWhoIsUp(t *testing.T) {
	ref := selfAt(t, 3, 3, 2)
	others := othersOf(ref, 3, 2)
	withNode(t, func(n *node) {
		n.joined(3)
		n.hear(others...)
		s := sign(n, owner, ref, 1, component(1, 2))
		n.show(s)
		n.isDuty("the others are up", ref, api.DutyNone)
		n.say(others[0], s, api.StateRunning)
		n.say(others[1], s, api.StateRunning)
		n.isDuty("the others run it", ref, api.DutyNone)

		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(others[0])}})
		time.Sleep(Grace / 2)
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(others[0])}, Skew: 1})
		time.Sleep(Grace/2 - 3*burst)
		n.isDuty("one is lost, for a moment", ref, api.DutyNone)
		time.Sleep(4 * burst)
		synctest.Wait()
		n.isDuty("it stays away", ref, api.DutyRun)
		n.say(self, s, api.StateRunning)
		n.isDuty("it runs here", ref, api.DutyRun)

		n.hear(others[0])
		n.isDuty("it is back, and said that it runs it", ref, api.DutyKeep)
		n.say(others[0], s, api.StateStarting)
		n.isDuty("it starts, and is not ready", ref, api.DutyKeep)
		n.say(others[0], s, api.StateRunning)
		n.isGivenUp("it is ready", ref)

		n.rec.RecordGone(peer(others[1]))
		time.Sleep(Grace / 2)
		n.hear(others[1])
		time.Sleep(2 * Grace)
		synctest.Wait()
		n.isDuty("a record was missing for a moment", ref, api.DutyNone)
		n.rec.RecordGone(peer(others[1]))
		time.Sleep(Grace + 2*burst)
		synctest.Wait()
		n.isDuty("a record is gone", ref, api.DutyRun)

		n.hear(others[1])
		n.isGivenUp("it is back", ref)
		n.say(self, s, api.StateRemoved)
		n.rec.Begin(Records) // the bus starts again
		n.hear(others[0])
		n.rec.End(Records)
		time.Sleep(Grace - 2*burst)
		n.isDuty("one was told of no more, for a moment", ref, api.DutyNone)
		time.Sleep(3 * burst)
		synctest.Wait()
		n.isDuty("one is told of no more", ref, api.DutyRun)
	})
}

// down has members say that their runnerd is.
func (n *node) down(all ...int) {
	for _, p := range all {
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(p), Host: "host", Capacity: api.Capacity{CPUs: 1}, Down: api.DaemonList{api.Casd, api.Runnerd}}, Live: true})
	}
	n.settle()
}

// TestMembersWithoutRunner has the two that rank before this node say that their runnerd
// is down, and be back. What they have said before counts no more, whatever the bucket
// tells first.
func TestMembersWithoutRunner(t *testing.T) {
	ref := selfAt(t, 3, 3, 2)
	others := othersOf(ref, 3, 2)
	for _, first := range []string{"the reason", "the facts", "neither"} {
		withNode(t, func(n *node) {
			n.joined(3)
			n.hear(others...)
			s := sign(n, owner, ref, 1, component(1, 2))
			n.show(s)
			n.say(others[0], s, api.StateRunning)
			n.say(others[1], s, api.StateRunning)
			n.isDuty("the others run it", ref, api.DutyNone)

			switch first {
			case "the reason":
				n.down(others[0])
				n.rec.FactGone(ref, peer(others[0]))
			case "the facts":
				n.rec.FactGone(ref, peer(others[0]))
				n.down(others[0])
			default:
				n.down(others[0])
			}
			n.settle()
			n.isDuty("one has no runnerd", ref, api.DutyRun)
			n.say(self, s, api.StateRunning)
			if x, err := n.rec.Explain(ref); err != nil || x.Running != 2 || x.Updated != 2 || x.Pending != "" ||
				x.Members[2].Why != "its runnerd is down" || x.Members[2].Rank != 0 || x.Members[2].Duty != api.DutyNone || !x.Members[2].Live {
				n.Errorf("one has no runnerd: %+v %v", x, err)
			}
			if first == "neither" {
				return
			}
			n.hear(others[0])
			n.isDuty("it is back, and says nothing yet", ref, api.DutyKeep)
			time.Sleep(placement.Pause + Grace)
			synctest.Wait()
			n.isDuty("it still says nothing", ref, api.DutyKeep)
			n.say(others[0], s, api.StateRunning)
			n.isGivenUp("it runs it", ref)

			n.say(self, s, api.StateRemoved)
			n.down(others...)
			n.isDuty("nobody else has a runnerd", ref, api.DutyRun)
			if x, err := n.rec.Explain(ref); err != nil || x.Desired != 1 || x.Running != 0 || x.Pending != "1 of 2 can run: 2 members: their runnerd is down" {
				n.Errorf("nobody else has a runnerd: %+v %v", x, err)
			}
		})
	}
}

// TestOwnRunner has meshd say that the runnerd is down that asks: it knows better.
func TestOwnRunner(t *testing.T) {
	withNode(t, func(n *node) {
		n.joined(2)
		n.down(self, 2)
		n.show(sign(n, owner, web, 1, component(1, 1)))
		n.isDuty("it has just come up", web, api.DutyRun)
		n.show(sign(n, owner, web, 2, component(1, 1), func(in *api.Intent) { in.Target.Peers = []api.PeerID{peer(2)} }))
		n.isDuty("for another one", web, api.DutyNone)
		if x, err := n.rec.Explain(web); err != nil || x.Pending != "no member can run it: 1 member: its runnerd is down, 1 is not among the peers that its target names" {
			n.Errorf("%+v %v", x, err)
		}
	})
}

// TestUnheard starts a node that runs a replica by what it knows: of other members,
// which might rank higher, it does not know tags and capacity yet.
func TestUnheard(t *testing.T) {
	ref := selfAt(t, 1, 3, 1)
	withNode(t, func(n *node) {
		n.joined(3)
		n.show(sign(n, owner, ref, 1, component(1, 1)), sign(n, owner, web, 1, component(1, 0)))
		n.restart()
		n.isDuty("of two nothing is known", ref, api.DutyNone)
		n.isDuty("whatever runs everywhere waits for nobody", web, api.DutyRun)
		n.hear(2)
		n.isDuty("of one nothing is known", ref, api.DutyNone)
		n.hear(3)
		n.isDuty("both are known", ref, api.DutyRun)
	})
	withNode(t, func(n *node) {
		n.kept[ref] = true
		n.joined(3)
		n.show(sign(n, owner, ref, 1, component(1, 1)))
		n.restart()
		n.isDuty("it ran here before", ref, api.DutyRun)
	})
	withNode(t, func(n *node) {
		n.joined(3)
		n.show(sign(n, owner, ref, 1, component(1, 1)))
		n.restart()
		time.Sleep(Grace + 2*burst)
		synctest.Wait()
		n.isDuty("nobody else is up", ref, api.DutyRun)
	})
}

// TestStart has all members count as up for a moment after a start, and then only
// those that were heard of.
func TestStart(t *testing.T) {
	ref := selfAt(t, 3, 3, 2)
	withNode(t, func(n *node) {
		n.joined(3)
		n.show(sign(n, owner, ref, 1, component(1, 2)))
		n.restart()
		time.Sleep(Grace - 5*burst)
		n.isDuty("just started", ref, api.DutyNone)
		time.Sleep(6 * burst)
		synctest.Wait()
		n.isDuty("nobody was heard of", ref, api.DutyRun)
		n.hear(2, 3)
		n.isDuty("they are heard of, and nobody runs it", ref, api.DutyNone)
		n.joined(4)
		n.show(sign(n, owner, web, 1, component(1, 4)))
		if x, err := n.rec.Explain(web); err != nil || x.Desired != 3 {
			n.Errorf("a member that joins and was never heard of counts as up: %+v %v", x, err)
		}
	})
}

// TestNothingIsDecidedEarly has each of the sources be the last one.
func TestNothingIsDecidedEarly(t *testing.T) {
	for _, last := range []Source{Intents, Records, Facts} {
		synctest.Test(t, func(t *testing.T) {
			n := &node{T: t, bucket: map[string][]byte{}, kept: map[api.Ref]bool{}}
			n.start()
			for _, src := range []Source{Records, Facts, Intents} {
				if src != Intents {
					n.rec.Begin(src)
				}
				if src != last {
					n.rec.End(src)
				}
			}
			n.show(sign(n, owner, double, 1, function(1)))
			if _, err := n.rec.Explain(double); len(n.wants) != 0 || err == nil {
				t.Errorf("before %d: %v %v", last, n.wants, err)
			}
			n.rec.End(last)
			n.settle()
			n.isDuty("all is known", double, api.DutyRun)
			n.stop()
		})
	}
}

// TestAlone needs nobody else: what runs on every member, and what nobody else is
// there for, starts at once.
func TestAlone(t *testing.T) {
	withNode(t, func(n *node) {
		n.show(sign(n, owner, double, 1, function(1)), sign(n, owner, web, 1, component(1, 0)),
			sign(n, owner, api.Ref{Kind: api.KindComponent, Name: "three"}, 1, component(1, 3)))
		for ref := range n.wants {
			n.isDuty("alone", ref, api.DutyRun)
		}
		if len(n.wants) != 3 {
			n.Error(n.wants)
		}
		x, err := n.rec.Explain(api.Ref{Kind: api.KindComponent, Name: "three"})
		if err != nil || x.Pending != "1 of 3 can run: the realm has 1 member" {
			n.Errorf("%+v %v", x, err)
		}
	})
}

// TestDrain has the owner drain this node, which goes on until another one is ready.
func TestDrain(t *testing.T) {
	ref := selfAt(t, 1, 3, 1)
	next := othersOf(ref, 3, 1)[0]
	withNode(t, func(n *node) {
		n.joined(3)
		n.hear(2, 3)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.show(s)
		n.isDuty("first in rank", ref, api.DutyRun)
		n.say(self, s, api.StateRunning)
		n.show(sign(n, owner, settingsRef(self), 1, api.NodeSettings{Drain: true}))
		n.isDuty("drained", ref, api.DutyKeep)
		if w := n.want(ref); !w.Unfit || w.News || w.Why != "it is drained; it goes on until those above it are ready" {
			n.Errorf("%+v", w)
		}
		n.say(next, s, api.StateRunning)
		n.isGivenUp("the next one is ready", ref)
		n.show(sign(n, owner, settingsRef(self), 2, nil))
		n.isDuty("resumed", ref, api.DutyRun)
	})
}

// TestClientsRunNothing has a command line without a node be there.
func TestClientsRunNothing(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(2), Client: true}, Live: true})
		n.show(sign(n, owner, ref, 1, component(1, 1)))
		n.isDuty("beside a client", ref, api.DutyRun)
	})
}

// TestStrangersCountForNothing has one speak that is no member.
func TestStrangersCountForNothing(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.hear(2)
		s := sign(n, owner, ref, 1, component(1, 1))
		n.show(s)
		n.say(2, s, api.StateRunning)
		n.isDuty("beside a stranger", ref, api.DutyRun)
		n.show(memberOf(n, 2))
		n.isDuty("it is a member now", ref, api.DutyNone)
		n.show(sign(n, owner, memberRef(2), 2, nil))
		n.isDuty("it was revoked", ref, api.DutyRun)
	})
}

// TestCapacity has a member declare less than a program may take.
func TestCapacity(t *testing.T) {
	ref := selfAt(t, 2, 2, 1)
	withNode(t, func(n *node) {
		n.joined(2)
		n.hear(2)
		n.show(sign(n, owner, ref, 1, component(1, 1)))
		n.isDuty("the other one ranks first", ref, api.DutyNone)
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(2), Capacity: api.Capacity{CPUs: 1, MemoryMB: 100}}, Live: true})
		n.settle()
		n.isDuty("it has too little memory", ref, api.DutyRun)
		n.hear(2)
		n.isDuty("it has enough", ref, api.DutyNone)
	})
}

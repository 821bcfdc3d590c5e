package route_test

import (
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

var (
	self    = standin.Peer(0)
	double  = api.Ref{Kind: api.KindFunction, Name: "double"}
	hello   = api.Ref{Kind: api.KindComponent, Name: "hello"}
	nowhere = api.Ref{Kind: api.KindFunction, Name: "nowhere"}
)

func fact(r api.Ref, p api.PeerID, s api.State) api.WorkloadFact {
	return api.WorkloadFact{Ref: r, Peer: p, State: s}
}

func peer(n byte, connected bool, rtt time.Duration) api.PeerRecord {
	return api.PeerRecord{PeerFact: api.PeerFact{Peer: standin.Peer(n)}, Connected: connected, RTT: api.Duration(rtt)}
}

// client is a command line that is connected.
func client(n byte) api.PeerRecord {
	r := peer(n, true, time.Millisecond)
	r.Client = true
	return r
}

// down is a member whose runnerd does not come up.
func down(n byte) api.PeerRecord {
	r := peer(n, true, time.Millisecond)
	r.Down = api.DaemonList{api.Runnerd}
	return r
}

// fill returns a book that has seen all of two empty buckets, then what is given.
func fill(facts []api.WorkloadFact, peers ...api.PeerRecord) *route.Book {
	b := route.NewBook(self)
	b.ResetFacts()
	b.SyncedFacts()
	b.ResetPeers()
	b.SyncedPeers()
	b.ResetRecords()
	b.SyncedRecords()
	for _, f := range facts {
		b.PutFact(f)
	}
	for _, p := range peers {
		b.PutPeer(p)
	}
	return b
}

func TestOrder(t *testing.T) {
	p := standin.Peer
	everywhere := []api.WorkloadFact{
		fact(double, self, api.StateRunning), fact(double, p(1), api.StateRunning), fact(double, p(2), api.StateRunning),
		fact(double, p(3), api.StateRunning), fact(double, p(4), api.StateRunning),
	}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		facts  []api.WorkloadFact
		peers  []api.PeerRecord
		here   bool
		others []api.PeerID
	}{
		"nothing known": {},
		"only here":     {facts: everywhere[:1], here: true},
		"nearest first": {
			facts: everywhere, peers: []api.PeerRecord{peer(1, true, 80*ms), peer(2, true, 5*ms), peer(3, true, 30*ms)},
			here: true, others: []api.PeerID{p(2), p(3), p(1)},
		},
		"by what takes longer": {
			facts: everywhere, peers: []api.PeerRecord{peer(1, true, 11*ms), peer(2, true, 10*ms), peer(3, true, 12*ms), peer(4, true, 40*ms)},
			here: true, others: []api.PeerID{p(2), p(1), p(3), p(4)},
		},
		"far away": {
			facts: everywhere, peers: []api.PeerRecord{peer(1, true, 124*ms), peer(2, true, 100*ms), peer(3, true, 126*ms)},
			here: true, others: []api.PeerID{p(2), p(1), p(3)},
		},
		"unknown time comes last": {
			facts: everywhere, peers: []api.PeerRecord{peer(1, true, 0), peer(2, true, time.Hour)},
			here: true, others: []api.PeerID{p(2), p(1)},
		},
		"not connected": {
			facts: everywhere, peers: []api.PeerRecord{peer(1, false, ms), peer(2, true, 90*ms)},
			here: true, others: []api.PeerID{p(2)},
		},
		"a client is not asked": {
			facts: everywhere, peers: []api.PeerRecord{client(1), peer(2, true, 90*ms)},
			here: true, others: []api.PeerID{p(2)},
		},
		"without its runnerd": {
			facts: everywhere, peers: []api.PeerRecord{down(1), peer(2, true, 90*ms)},
			here: true, others: []api.PeerID{p(2)},
		},
		"this node is no other one": {
			facts: everywhere, peers: []api.PeerRecord{peer(0, true, ms), peer(1, true, ms)},
			here: true, others: []api.PeerID{p(1)},
		},
		"the version before goes on": {
			facts: []api.WorkloadFact{
				{Ref: double, Peer: self, State: api.StateFailed, Serving: 3},
				{Ref: double, Peer: p(1), State: api.StateCompiling, Serving: 3},
				{Ref: double, Peer: p(2), State: api.StateCompiling},
			},
			peers: []api.PeerRecord{peer(1, true, ms), peer(2, true, ms)},
			here:  true, others: []api.PeerID{p(1)},
		},
		"only what runs counts": {
			facts: []api.WorkloadFact{
				fact(double, self, api.StateCompiling), fact(double, p(1), api.StateFailed), fact(double, p(2), api.StateStopped),
				fact(double, p(3), api.StateStarting), fact(double, p(4), api.StateRunning), fact(hello, p(1), api.StateRunning),
			},
			peers:  []api.PeerRecord{peer(1, true, ms), peer(2, true, ms), peer(3, true, ms), peer(4, true, ms)},
			others: []api.PeerID{p(4)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := fill(c.facts, c.peers...).Table(time.Now())
			if got := table.Here(double); got != c.here {
				t.Errorf("here: %v, want %v", got, c.here)
			}
			if got := elsewhere(table, double); !slices.Equal(got, c.others) {
				t.Errorf("%v, want %v", short(got), short(c.others))
			}
			if got := table.Elsewhere(nowhere); len(got) != 0 {
				t.Errorf("an unknown function is at %v", got)
			}
		})
	}
}

func elsewhere(t *route.Table, r api.Ref) (out []api.PeerID) {
	for _, m := range t.Elsewhere(r) {
		out = append(out, m.Peer)
	}
	return out
}

func short(ids []api.PeerID) (out []string) {
	for _, id := range ids {
		out = append(out, id.Short())
	}
	return out
}

func TestTablesDoNotChange(t *testing.T) {
	b := fill([]api.WorkloadFact{fact(double, self, api.StateRunning)}, peer(1, true, time.Millisecond))
	before := b.Table(time.Now())
	b.PutFact(fact(double, self, api.StateFailed))
	b.PutFact(fact(double, standin.Peer(1), api.StateRunning))
	b.PutFact(fact(hello, self, api.StateRunning))
	b.DeletePeer(standin.Peer(1))
	after := b.Table(time.Now())
	if !before.Here(double) || before.Here(hello) || before.Peers() != 1 || len(before.Replicas(double)) != 1 {
		t.Error("a table changed after it was bound")
	}
	if after.Here(double) || !after.Here(hello) || after.Peers() != 0 || len(after.Replicas(double)) != 2 {
		t.Error("the next table is not what the book holds")
	}
}

func TestResetKeepsTheOldUntilSynced(t *testing.T) {
	b := fill([]api.WorkloadFact{fact(double, self, api.StateRunning), fact(hello, self, api.StateRunning)}, peer(1, true, 0))
	b.ResetFacts()
	b.ResetPeers()
	b.PutFact(fact(double, standin.Peer(2), api.StateRunning))
	b.PutPeer(peer(2, true, 0))
	if mid := b.Table(time.Now()); !mid.Here(double) || !mid.Here(hello) || len(mid.Elsewhere(double)) != 0 || !mid.Complete() {
		t.Error("what is half seen counts already")
	}
	b.SyncedFacts()
	b.SyncedPeers()
	end := b.Table(time.Now())
	if end.Here(double) || end.Here(hello) || len(end.Replicas(hello)) != 0 {
		t.Error("what was not seen again still counts")
	}
	if got := elsewhere(end, double); !slices.Equal(got, []api.PeerID{standin.Peer(2)}) {
		t.Errorf("elsewhere: %v", got)
	}
}

func TestCompleteNeedsAllBuckets(t *testing.T) {
	b := route.NewBook(self)
	steps := []struct {
		do   func()
		want bool
	}{
		{func() {}, false},
		{b.ResetFacts, false},
		{b.SyncedFacts, false},
		{b.ResetPeers, false},
		{b.SyncedPeers, false},
		{b.ResetRecords, false},
		{b.SyncedRecords, true},
		{b.ResetFacts, true}, // the bus was away
	}
	for i, s := range steps {
		s.do()
		if got := b.Table(time.Now()).Complete(); got != s.want {
			t.Errorf("after step %d: %v, want %v", i, got, s.want)
		}
	}
}

func TestRemovedIsForgotten(t *testing.T) {
	b := fill([]api.WorkloadFact{fact(hello, self, api.StateRunning), fact(double, self, api.StateRunning)})
	b.Table(time.Now())
	b.PutFact(fact(hello, self, api.StateRemoved))
	if refs := b.Table(time.Now()).Refs(); !slices.Equal(refs, []api.Ref{double}) {
		t.Errorf("refs: %v", refs)
	}
	b.DeleteFact(double, self)
	b.DeleteFact(double, self)
	if refs := b.Table(time.Now()).Refs(); len(refs) != 0 {
		t.Errorf("refs: %v", refs)
	}
}

func TestLeftLately(t *testing.T) {
	start := time.Unix(1000, 0)
	b := fill([]api.WorkloadFact{fact(double, self, api.StateRunning), fact(hello, self, api.StateRunning)})
	if table := b.Table(start); table.LeftLately(double, start) || table.LeftLately(nowhere, start) {
		t.Error("what is there, or never was, has left")
	}
	b.DeleteFact(double, self)
	b.PutFact(fact(hello, self, api.StateRemoved))
	table := b.Table(start)
	for after, want := range map[time.Duration]bool{0: true, route.Lately - 1: true, route.Lately: false} {
		if got := table.LeftLately(double, start.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	if table.LeftLately(hello, start) {
		t.Error("what the owner removed may come back")
	}
	if later := b.Table(start.Add(time.Second)); !later.LeftLately(double, start.Add(route.Lately-1)) || later.LeftLately(double, start.Add(route.Lately)) {
		t.Error("a new table forgets, or begins to count anew")
	}
	b.PutFact(fact(double, self, api.StateRunning))
	if b.Table(start).LeftLately(double, start) {
		t.Error("what has come back has left")
	}
	b.DeleteFact(double, self)
	b.Table(start)
	b.PutFact(fact(double, self, api.StateRemoved))
	if b.Table(start).LeftLately(double, start) {
		t.Error("what was removed after it left may come back")
	}
	// The bus has begun anew, and nobody has told anything yet.
	b.PutFact(fact(double, self, api.StateRunning))
	b.Table(start)
	b.ResetFacts()
	b.SyncedFacts()
	if !b.Table(start).LeftLately(double, start) {
		t.Error("what was lost with the bus is forgotten")
	}
}

func TestHopeful(t *testing.T) {
	for s, want := range map[api.State]bool{
		api.StatePending: true, api.StateFetching: true, api.StateCompiling: true, api.StateStarting: true,
		api.StateRunning: true, api.StateBackoff: true,
		api.StateExited: false, api.StateFailed: false, api.StateStopped: false, api.StateRemoved: false,
	} {
		if got := fill([]api.WorkloadFact{fact(double, self, s)}).Table(time.Now()).Hopeful(double); got != want {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	}
	if !fill([]api.WorkloadFact{{Ref: double, Peer: self, State: api.StateFailed, Serving: 1}}).Table(time.Now()).Hopeful(double) {
		t.Error("a version that goes on to run is no hope")
	}
}

func TestLiveTellsOfEachChange(t *testing.T) {
	b := fill(nil)
	l := route.NewLive(b.Table(time.Now()))
	first, changed := l.Now()
	select {
	case <-changed:
		t.Fatal("changed before anything did")
	default:
	}
	b.PutFact(fact(double, self, api.StateRunning))
	l.Set(b.Table(time.Now()))
	<-changed
	second, changed := l.Now()
	if first.Here(double) || !second.Here(double) {
		t.Error("the wrong table is current")
	}
	select {
	case <-changed:
		t.Error("the new table is over already")
	default:
	}
}

func BenchmarkElsewhere(b *testing.B) {
	var facts []api.WorkloadFact
	var peers []api.PeerRecord
	for n := range byte(200) {
		facts = append(facts, fact(double, standin.Peer(n+1), api.StateRunning))
		peers = append(peers, peer(n+1, true, time.Duration(n)*time.Millisecond))
	}
	table := fill(facts, peers...).Table(time.Now())
	for b.Loop() {
		table.Elsewhere(double)
	}
}

package facts

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// register is who is a member, and on which terms.
type register map[api.PeerID]Terms

func (r register) terms(p api.PeerID) (Terms, bool) {
	t, ok := r[p]
	return t, ok
}

func (b bucket) record(t *testing.T, p api.PeerID) (r api.PeerRecord, ok bool) {
	t.Helper()
	raw, ok := b[Key{api.BucketPeers, string(p)}]
	if ok {
		if err := api.Decode(raw, api.MaxMessage, &r); err != nil {
			t.Fatal(err)
		}
	}
	return r, ok
}

// Whom the owner has drained is shown as that: another member, and this node itself.
func TestDrained(t *testing.T) {
	who := register{self: {}, alice: {}}
	table, b := New(api.PeerFact{Peer: self}, who.terms, start), bucket{}
	table.Up(alice, start)
	is := func(what string, own, other bool) {
		t.Helper()
		table.Review()
		b.apply(t, table)
		me, _ := b.record(t, self)
		her, _ := b.record(t, alice)
		if me.Drained != own || her.Drained != other {
			t.Errorf("%s: %v and %v", what, me.Drained, her.Drained)
		}
	}
	is("nobody", false, false)
	who[alice] = Terms{Drained: true}
	is("alice", false, true)
	who[self] = Terms{Drained: true}
	is("both", true, true)
	who[self], who[alice] = Terms{}, Terms{}
	is("nobody any more", false, false)
}

func TestTerms(t *testing.T) {
	who := register{alice: {Roles: []string{"edge"}}, bob: {}}
	table, b := New(api.PeerFact{Peer: self}, who.terms, start), bucket{}
	stranger := peerID(4)
	says := func(p api.PeerID, seq uint64) *api.FactBatch {
		out := batch(1, seq, true, fact(p, "web", api.StateRunning))
		out.Peer = &api.PeerFact{Peer: p, Roles: []string{"edge", "vault"}, Addrs: []string{"/ip4/192.0.2.1/tcp/1"}}
		return out
	}
	for _, p := range []api.PeerID{alice, bob} {
		table.Up(p, start)
		if err := table.Merge(p, says(p, 1), start); err != nil {
			t.Fatal(err)
		}
	}
	table.Up(stranger, start)
	if table.Fresh(stranger, says(stranger, 1)) {
		t.Error("what a stranger says is news")
	}
	for _, err := range []error{table.Merge(stranger, says(stranger, 1), start), table.MergeDirect(stranger, says(stranger, 1), start)} {
		if !errors.Is(err, ErrNoMember) {
			t.Errorf("a stranger's facts: %v", err)
		}
	}
	roles := func(p api.PeerID) []string {
		b.apply(t, table)
		r, _ := b.record(t, p)
		return r.Roles
	}
	if got := roles(alice); !slices.Equal(got, []string{"edge"}) {
		t.Errorf("alice has %v; her terms are narrower", got)
	}
	if got := roles(bob); !slices.Equal(got, []string{"edge", "vault"}) {
		t.Errorf("bob has %v", got)
	}
	for _, f := range table.Members(10) {
		if f.Peer == alice && !slices.Equal(f.Roles, []string{"edge"}) {
			t.Errorf("others are told that alice has %v", f.Roles)
		}
	}

	who[alice] = Terms{} // the owner has changed their mind
	table.Review()
	if got := roles(alice); !slices.Equal(got, []string{"edge", "vault"}) {
		t.Errorf("alice has %v; she says more", got)
	}

	delete(who, alice)
	table.Review()
	b.apply(t, table)
	if _, ok := b.record(t, alice); ok {
		t.Error("a record of a former member stays")
	}
	if _, ok := b[Key{api.BucketWorkloads, api.KeyWorkload(ref("web"), alice)}]; ok {
		t.Error("a workload of a former member stays")
	}
	if table.Fresh(alice, says(alice, 2)) || table.Neighbours() != 1 {
		t.Errorf("a former member is heard, or counted: %d neighbours", table.Neighbours())
	}
	table.Down(alice, start) // it is told late
	table.Down(bob, start)
	table.Up(bob, start)
	if table.Neighbours() != 1 {
		t.Errorf("%d neighbours", table.Neighbours())
	}
}

func TestClients(t *testing.T) {
	who := register{alice: {Client: true}, bob: {}}
	table, b := New(api.PeerFact{Peer: self}, who.terms, start), bucket{}
	for _, p := range []api.PeerID{alice, bob} {
		table.Up(p, start)
		says := batch(1, 1, true)
		says.Peer = &api.PeerFact{Peer: p, Addrs: []string{"/ip4/192.0.2.1/tcp/1"}}
		if err := table.MergeDirect(p, says, start); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, table)
	if r, _ := b.record(t, alice); !r.Client || !r.Connected {
		t.Errorf("a client is %+v", r)
	}
	if got := table.Members(10); len(got) != 1 || got[0].Peer != bob || table.Neighbours() != 1 {
		t.Errorf("others are told to dial %v; %d neighbours", got, table.Neighbours())
	}
	table.Down(alice, start)
	b.apply(t, table)
	if _, ok := b.record(t, alice); ok {
		t.Error("a client that has left is remembered")
	}
	table.Load([]api.PeerRecord{{PeerFact: api.PeerFact{Peer: alice}}})
	b[Key{api.BucketPeers, string(alice)}] = []byte("{}") // left by the process before
	b.apply(t, table)
	if _, ok := b.record(t, alice); ok {
		t.Error("the record of a client outlives the process")
	}
}

func TestRemarks(t *testing.T) {
	table, b := newTable(), bucket{}
	for _, p := range []api.PeerID{alice, bob} {
		table.Up(p, start)
	}
	b.apply(t, table)
	changed := func(p api.PeerID, change func(*Remarks)) bool {
		t.Helper()
		table.Remark(p, change)
		writes, err := table.Take()
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range writes {
			b[w.Key] = w.Value
		}
		return len(writes) > 0
	}
	skew := func(d time.Duration) func(*Remarks) { return func(r *Remarks) { r.Skew = d } }
	for _, c := range []struct {
		skew  time.Duration
		write bool
		shown time.Duration
	}{
		{time.Second, false, 0}, {-MuchSkew, false, 0}, {time.Hour, true, time.Hour}, {time.Hour + time.Second, false, time.Hour},
		{-time.Hour, true, -time.Hour}, {3 * time.Second, true, 0},
	} {
		if wrote := changed(alice, skew(c.skew)); wrote != c.write {
			t.Errorf("a skew of %v is written: %v", c.skew, wrote)
		}
		if r, _ := b.record(t, alice); time.Duration(r.Skew) != c.shown {
			t.Errorf("a skew of %v is shown as %v", c.skew, time.Duration(r.Skew))
		}
	}
	for _, p := range []api.PeerID{alice, self} {
		if !changed(p, func(r *Remarks) { r.Conflict, r.Conduct = []string{"/ip4/192.0.2.1/tcp/1"}, "it floods" }) {
			t.Error("nothing is written")
		}
		if r, _ := b.record(t, p); len(r.Conflict) != 1 || r.Conduct == "" {
			t.Errorf("%s is shown as %+v", p, r)
		}
	}
	if changed(peerID(4), func(r *Remarks) { r.Conduct = "it floods" }) {
		t.Error("a remark on nobody is written")
	}
}

func TestAhead(t *testing.T) {
	table := newTable()
	if d, n := table.Ahead(); d != 0 || n != 0 {
		t.Errorf("alone: %v, %d", d, n)
	}
	for i, skew := range []time.Duration{-2 * time.Hour, -time.Hour, 5 * time.Second, 0} {
		p := peerID(i + 2)
		table.Up(p, start)
		table.Remark(p, func(r *Remarks) { r.Skew = skew })
	}
	if d, n := table.Ahead(); d != time.Hour || n != 3 {
		t.Errorf("ahead of %d by %v; want of 3 by 1h", n, d)
	}
}

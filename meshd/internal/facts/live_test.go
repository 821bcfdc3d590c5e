package facts

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// What a member runs stands in the bucket as long as the member is live there, and not
// a write longer.
func TestFactsEndWithTheirMember(t *testing.T) {
	table, b := newTable(), bucket{}
	at, seq := start, uint64(0)
	says := func(p api.PeerID) {
		t.Helper()
		seq++
		if err := table.Merge(p, batch(1, seq, true, fact(p, "a", api.StateRunning), fact(p, "b", api.StatePrepared)), at); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name  string
		do    func()
		live  bool // alice
		count int  // of what she runs
	}{
		{"connected", func() { table.Up(alice, at); says(alice) }, true, 2},
		{"the connection ends", func() { table.Down(alice, at) }, false, 0},
		{"back", func() { at = at.Add(echo); table.Up(alice, at); says(alice) }, true, 2},
		{"gone again", func() { at = at.Add(time.Second); table.Down(alice, at) }, false, 0},
		{"heard of through others", func() { at = at.Add(echo); says(alice) }, true, 2},
		{"silent", func() { at = at.Add(Silence + 1); table.Expire(at) }, false, 0},
		{"heard of again", func() { says(alice) }, true, 2},
		{"a member no more", func() { table.terms = register{}.terms; table.Review() }, false, 0},
	} {
		step.do()
		writes, err := table.Take()
		if err != nil {
			t.Fatal(err)
		}
		table.Mark(keysOf(writes)...) // apply takes them again
		for i, w := range writes {
			if w.Bucket == api.BucketPeers && i > 0 && writes[i-1].Bucket == api.BucketWorkloads {
				t.Errorf("%s: a workload is written before a member", step.name)
			}
		}
		b.apply(t, table)
		if r, _ := b.peer(t, alice); r.Live != step.live || len(b.states(t)) != step.count {
			t.Errorf("%s: live %v, and runs %v", step.name, r.Live, b.states(t))
		}
	}
}

func keysOf(writes []Write) (out []Key) {
	for _, w := range writes {
		out = append(out, w.Key)
	}
	return out
}

// Roles that the owner has taken away altogether are not those that a member says.
func TestNoRoles(t *testing.T) {
	who := register{alice: {Roles: []string{}}}
	table, b := New(api.PeerFact{Peer: self}, who.terms, start), bucket{}
	table.Up(alice, start)
	says := batch(1, 1, true)
	says.Peer = &api.PeerFact{Peer: alice, Roles: []string{"edge"}}
	if err := table.MergeDirect(alice, says, start); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		terms Terms
		roles int
	}{{who[alice], 0}, {Terms{}, 1}, {Terms{Roles: []string{}}, 0}, {Terms{Roles: []string{"a", "b"}}, 2}} {
		who[alice] = c.terms
		table.Review()
		b.apply(t, table)
		if r, _ := b.peer(t, alice); len(r.Roles) != c.roles {
			t.Errorf("%#v: she has %v", c.terms, r.Roles)
		}
	}
}

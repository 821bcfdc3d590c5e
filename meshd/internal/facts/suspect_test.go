package facts

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// suspects is a batch of bob's that says that alice was lost.
func suspects(seq uint64, s api.Suspicion) *api.FactBatch {
	s.Peer = alice
	return &api.FactBatch{Epoch: 1, Seq: seq, Suspects: []api.Suspicion{s}}
}

func TestSuspicion(t *testing.T) {
	const soon, later = Refute - 1, Refute
	type step struct {
		after  time.Duration
		author api.PeerID
		batch  *api.FactBatch
		live   bool // alice, after it
	}
	of := func(epoch int64, seq uint64) api.Suspicion { return api.Suspicion{Epoch: epoch, Seq: seq} }
	for name, c := range map[string]struct {
		neighbour bool
		steps     []step
	}{
		"not refuted":                  {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {soon, "", nil, true}, {1, "", nil, false}}},
		"refuted":                      {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {soon, alice, batch(1, 6, false), true}, {later, "", nil, true}}},
		"refuted by a restart":         {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {soon, alice, batch(2, 1, true), true}, {later, "", nil, true}}},
		"refuted too late":             {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {later, "", nil, false}, {0, alice, batch(1, 6, false), true}}},
		"what the neighbour had heard": {steps: []step{{0, bob, suspects(1, of(1, 7)), true}, {soon, alice, batch(1, 6, false), true}, {1, "", nil, false}}},
		"refuted before":               {steps: []step{{0, bob, suspects(1, of(1, 4)), true}, {later, "", nil, true}}},
		"nothing was known of her":     {steps: []step{{0, bob, suspects(1, of(0, 0)), true}, {later, "", nil, true}}},
		"said twice":                   {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {soon, bob, suspects(2, of(1, 5)), true}, {1, "", nil, false}}},
		"said again of a newer batch":  {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {1, bob, suspects(2, of(1, 6)), true}, {soon, alice, batch(1, 6, false), true}, {1, "", nil, false}}},
		"suspected again":              {steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {1, alice, batch(1, 6, false), true}, {1, bob, suspects(2, of(1, 6)), true}, {soon, "", nil, true}, {1, "", nil, false}}},
		"of a neighbour":               {neighbour: true, steps: []step{{0, bob, suspects(1, of(1, 5)), true}, {later, "", nil, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			table, b, now := newTable(), bucket{}, start
			if c.neighbour {
				table.Up(alice, now)
			}
			if err := table.Merge(alice, batch(1, 5, true, fact(alice, "web", api.StateRunning)), now); err != nil {
				t.Fatal(err)
			}
			for i, s := range c.steps {
				now = now.Add(s.after)
				if s.batch != nil {
					if err := table.Merge(s.author, s.batch, now); err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
				}
				table.Expire(now)
				b.apply(t, table)
				if r, _ := b.peer(t, alice); r.Live != s.live {
					t.Errorf("step %d: live %v, want %v", i, r.Live, s.live)
				}
				if !s.live && len(b.states(t)) != 0 {
					t.Errorf("step %d: she runs %v", i, b.states(t))
				}
			}
		})
	}
}

// A node that has lost its last neighbour hears of nobody any more.
func TestAlone(t *testing.T) {
	table := newTable()
	carol := peerID(4)
	for _, p := range []api.PeerID{bob, carol} {
		table.Up(p, start)
	}
	for _, p := range []api.PeerID{alice, bob, carol} {
		if err := table.Merge(p, batch(1, 5, true), start); err != nil {
			t.Fatal(err)
		}
	}
	live := func(at time.Time) bool {
		table.Expire(at)
		return table.others[alice].live
	}
	table.Down(bob, start)
	if !live(start.Add(Refute)) {
		t.Error("alice is taken for dead while carol can pass on what she says")
	}
	alone := start.Add(Refute)
	table.Down(carol, alone)
	if !live(alone.Add(Refute-1)) || live(alone.Add(Refute)) {
		t.Errorf("alice is not taken for dead %v after the last neighbour was lost", Refute)
	}
	back := alone.Add(echo)
	table.Up(carol, back)
	if err := table.Merge(alice, batch(1, 6, false), back); err != nil || !live(back) {
		t.Errorf("alice was heard of again, and is live: %v (%v)", live(back), err)
	}
}

// said are the batches that a table would gossip now.
func said(t *testing.T, table *Table) (out []*api.FactBatch) {
	t.Helper()
	raw, err := table.Batches()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		b := new(api.FactBatch)
		if err := json.Unmarshal(r, b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func TestWhoIsSuspected(t *testing.T) {
	want := []api.Suspicion{{Peer: alice, Epoch: 1, Seq: 7}}
	for name, c := range map[string]struct {
		then func(*Table)
		want []api.Suspicion
	}{
		"lost":                     {func(*Table) {}, want},
		"back":                     {func(t *Table) { t.Up(alice, start) }, nil},
		"said by another":          {func(t *Table) { _ = t.Merge(bob, suspects(1, api.Suspicion{Epoch: 1, Seq: 7}), start) }, nil},
		"another knew less":        {func(t *Table) { _ = t.Merge(bob, suspects(1, api.Suspicion{Epoch: 1, Seq: 6}), start) }, want},
		"said by another who knew": {func(t *Table) { _ = t.Merge(bob, suspects(1, api.Suspicion{Epoch: 1, Seq: 8}), start) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable()
			table.Up(alice, start)
			table.Up(bob, start)
			if err := table.Merge(alice, batch(1, 7, true), start); err != nil {
				t.Fatal(err)
			}
			said(t, table)
			table.Down(alice, start)
			c.then(table)
			var got []api.Suspicion
			for _, b := range said(t, table) {
				got = append(got, b.Suspects...)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("it suspects %+v, want %+v", got, c.want)
			}
			if again := said(t, table); len(again) != 0 {
				t.Errorf("said twice: %+v", again[0])
			}
		})
	}
}

// TestNoFalseDeath has a member whose connections come and go, and which answers what is
// said of it, while messages overtake each other: who hears of it only through others
// never takes it for dead, and knows that it is dead in the end.
func TestNoFalseDeath(t *testing.T) {
	const trip = Refute/2 - 100*time.Millisecond // of a message, at most
	type message struct {
		at     time.Time
		author api.PeerID
		batch  *api.FactBatch
	}
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		far := newTable()
		member := New(api.PeerFact{Peer: alice}, anybody, start)
		neighbours := map[api.PeerID]*Table{}
		for i := range 3 {
			p := peerID(10 + i)
			neighbours[p] = New(api.PeerFact{Peer: p}, anybody, start)
			neighbours[p].Up(alice, start)
		}
		tables := map[api.PeerID]*Table{self: far, alice: member}
		for p, n := range neighbours {
			tables[p] = n
		}
		way := map[api.PeerID][]message{}
		spread := func(now time.Time, dead bool) {
			for from, table := range tables {
				if from == alice && dead {
					continue
				}
				for _, b := range said(t, table) {
					for to := range tables {
						if to != from && (to != alice || !dead) {
							way[to] = append(way[to], message{now.Add(time.Duration(rnd.Int64N(int64(trip)))), from, b})
						}
					}
				}
			}
		}
		const step, life, end = 50 * time.Millisecond, 40 * time.Second, 60 * time.Second
		member.Repeat()
		known := false
		for at := time.Duration(0); at < end; at += step {
			now, dead := start.Add(at), at >= life
			for _, n := range neighbours {
				switch up := n.others[alice].connected; {
				case dead && up && at >= life+8*time.Second:
					n.Down(alice, now)
				case !dead && rnd.IntN(100) == 0 && up && at < life-step:
					n.Down(alice, now)
				case !dead && !up && (rnd.IntN(20) == 0 || at >= life-step): // some are up when she dies
					n.Up(alice, now)
					full := member.Full()
					_ = n.MergeDirect(alice, &full, now)
				}
			}
			if !dead && rnd.IntN(300) == 0 {
				member.Repeat()
			}
			spread(now, dead)
			for to, table := range tables {
				way[to] = slices.DeleteFunc(way[to], func(m message) bool {
					if m.at.After(now) {
						return false
					}
					_ = table.Merge(m.author, m.batch, now) // one that was overtaken is stale
					return true
				})
			}
			far.Expire(now)
			m := far.others[alice]
			known = known || m != nil && m.live
			if known && !dead && !m.live {
				t.Fatalf("seed %d: taken for dead at %v", seed, at)
			}
		}
		if !known || far.others[alice].live {
			t.Fatalf("seed %d: she is dead, and taken for alive (heard of at all: %v)", seed, known)
		}
	}
}

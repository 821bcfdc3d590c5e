package catchup

import (
	"hash/maphash"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestTenThousand brings a node up to date that has missed ten thousand intents.
func TestTenThousand(t *testing.T) {
	const n = 10_000
	r := meshtest.NewRealm(t)
	full, empty := newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour})
	full.take(t, many(t, r, n)...)
	empty.connect(t, full)
	start := time.Now()
	news, err := empty.client.Intents(t.Context(), full.host.ID())
	if err != nil || news != n || !same(full, empty) {
		t.Fatalf("%d intents are news, %v; want %d", news, err, n)
	}
	t.Logf("%d intents after %v, with %d requests", n, time.Since(start), full.asked.Load())
	before := full.asked.Load()
	if news, err = empty.client.Intents(t.Context(), full.host.ID()); err != nil || news != 0 || full.asked.Load() != before+1 {
		t.Errorf("the same set: %d, %v, %d requests; want one", news, err, full.asked.Load()-before)
	}
	// They are on disk: another keeper reads them from there.
	again, err := intents.Open(intents.Config{Pin: r.Pin, Path: empty.path, Now: time.Now, Log: meshtest.Log(), Room: func(int64) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Ledger().Len() != n {
		t.Errorf("%d are on disk", again.Ledger().Len())
	}
}

// TestDifferences has two members that each hold what the other has not: after one
// round each way both hold the union, trust and all.
func TestDifferences(t *testing.T) {
	r := meshtest.NewRealm(t)
	a, b := newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour})
	first := many(t, r, 300)
	a.take(t, first...)
	b.take(t, first[:250]...)
	key := meshtest.Key(t)
	grant := r.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
	b.take(t, grant, r.ComponentBy(t, key, "theirs", 1), r.Component(t, "w0", 2))
	a.take(t, r.Component(t, "w0", 3))
	b.take(t, r.Rotate(t))
	b.take(t, r.Component(t, "new", 1))
	b.take(t, r.Settle(t)...)
	a.connect(t, b)
	for _, pair := range [][2]*member{{a, b}, {b, a}, {a, b}} {
		if _, err := pair[0].client.Intents(t.Context(), pair[1].host.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if !same(a, b) {
		t.Errorf("%d and %d intents are held, or other ones", a.keeper.Ledger().Len(), b.keeper.Ledger().Len())
	}
	if a.keeper.Ledger().Owner() != r.Pin.Owner {
		t.Error("the rotation has not come")
	}
}

// TestGossipThatLoses drops three messages of ten at everybody, and nothing is lost.
func TestGossipThatLoses(t *testing.T) {
	r := meshtest.NewRealm(t)
	seed := maphash.MakeSeed()
	var mu sync.Mutex
	lost, heard := 0, 0
	lose := func(self int) func(gossip.Message) bool {
		return func(m gossip.Message) bool {
			bad := (maphash.Bytes(seed, m.Data)+uint64(self)*7)%10 < 3
			mu.Lock()
			defer mu.Unlock()
			if heard++; bad {
				lost++
			}
			return bad
		}
	}
	var all []*member
	for i := range 3 {
		all = append(all, newMember(t, r, plan{interval: time.Second, lose: lose(i)}))
	}
	all[0].connect(t, all[1])
	all[1].connect(t, all[2])
	for i, pair := range [][2]*member{{all[0], all[1]}, {all[1], all[2]}} {
		meshtest.Until(t, 10*time.Second, "neighbours gossip", func() bool { return pair[i%2].gossip.Listens(pair[1-i%2].host.ID()) })
	}
	const n = 600
	for i, s := range many(t, r, n) {
		all[i%3].submit(t, r, s)
	}
	took := meshtest.Until(t, 60*time.Second, "everybody has everything", func() bool {
		return !slices.ContainsFunc(all, func(m *member) bool { return m.keeper.Ledger().Len() != n })
	})
	mu.Lock()
	defer mu.Unlock()
	if lost < heard/10 {
		t.Errorf("only %d of %d messages were lost", lost, heard)
	}
	t.Logf("all have all %v after the last submission; %d of %d messages were lost", took, lost, heard)
}

// TestFirstTime has a new member meet one that hides a revocation, one that is
// behind, and one that is up to date.
func TestFirstTime(t *testing.T) {
	r := meshtest.NewRealm(t)
	key := meshtest.Key(t)
	grant := r.Grant(t, key, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now()})
	one, two := r.Component(t, "web", 1), r.Component(t, "web", 2)
	theirs := r.ComponentBy(t, key, "ci", 1)
	revoked := r.Revoke(t, api.KindGrant, key)
	liar, behind, honest := newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour})
	liar.take(t, grant, theirs, one)
	behind.take(t, grant, theirs)
	honest.take(t, grant, revoked, two)

	synced := make(chan struct{})
	m := newMember(t, r, plan{interval: time.Hour, first: &First{Pin: r.Pin, Known: func() int { return 5 }, Synced: func() { close(synced) }}})
	for i, to := range []*member{liar, behind, honest} {
		if !m.runner.Holding() || m.keeper.Ledger().Len() != 0 {
			t.Errorf("after %d members %d intents are taken", i, m.keeper.Ledger().Len())
		}
		m.connect(t, to)
		if err := m.runner.Round(t.Context(), to.host.ID()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-synced:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was taken after three members")
	}
	if m.runner.Holding() {
		t.Error("it still holds back")
	}
	if top, ok := m.keeper.Ledger().Current(two.Ref, time.Now()); !ok || top.Seq != 2 {
		t.Errorf("the component is at number %d", top.Seq)
	}
	if _, held := m.keeper.Ledger().Held(theirs.Digest); held {
		t.Error("what a revoked key has signed was taken")
	}
}

// TestFloodOfRequests has one member ask without end.
func TestFloodOfRequests(t *testing.T) {
	r := meshtest.NewRealm(t)
	server, greedy, other := newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour}), newMember(t, r, plan{silent: true, interval: time.Hour})
	greedy.connect(t, server)
	other.connect(t, server)
	server.take(t, many(t, r, 3)...)
	refused := false
	for range 5000 {
		if _, err := greedy.client.digests(t.Context(), server.host.ID()); err != nil {
			refused = true
			break
		}
	}
	if !refused || server.conduct.Sentence(greedy.host.ID()) == "" {
		t.Errorf("a flood of requests is answered; conduct: %q", server.conduct.Sentence(greedy.host.ID()))
	}
	if news, err := other.client.Intents(t.Context(), server.host.ID()); err != nil || news != 3 {
		t.Errorf("another member: %d, %v", news, err)
	}
	if s := server.conduct.Sentence(other.host.ID()); s != "" {
		t.Errorf("another member is blamed: %s", s)
	}
}

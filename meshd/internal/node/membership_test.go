package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// TestPendingNode knocks, is shown, and is a member as soon as the owner says so.
func TestPendingNode(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	p := waiting(t, r)
	n := p.start(t, all[0])
	shown := func() bool {
		return slices.ContainsFunc(all[0].Members("").Members, func(m api.Member) bool {
			return m.Peer == n.self && m.Standing == api.StandingPending && strings.HasPrefix(m.Addr, "/ip4/127.0.0.1/")
		})
	}
	until(t, patience, "it is shown as pending", shown)
	if s := n.Status(); s.Standing != api.StandingPending || s.Synced || !strings.Contains(s.Note, "realm peers admit "+string(n.self)) {
		t.Errorf("it says %+v", s)
	}
	s := all[0].next(t, r, "web")
	all[0].submit(t, s)
	start := time.Now()
	all[1].learns(t, r.Admit(t, p.key)) // at another member than the one where it knocks
	select {
	case <-n.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("it does not notice")
	}
	if !errors.Is(n.err, ErrReopen) {
		t.Fatalf("it ended with %v", n.err)
	}
	n.stop()
	n = p.start(t)
	waitMesh(t, all[0], all[1], n)
	until(t, patience, "it has what there is", func() bool { return n.holds(s) })
	t.Logf("a member, opened again and up to date %v after it was admitted", time.Since(start))
	if len(n.Membership().Intents) == 0 {
		t.Error("it shows nothing of its membership")
	}
	if shown() {
		t.Error("it goes on to be shown as pending")
	}
}

// TestWelcome has a member dial a node that has knocked, once it is admitted.
func TestWelcome(t *testing.T) {
	r := meshtest.NewRealm(t)
	m, key := newPlace(t, r).start(t), meshtest.Key(t)
	quiet := visitor(t, r, key, api.Proof{Realm: r.Pin.Realm}) // which dials nobody
	meshtest.Listen(t, quiet)
	if s := visit(t, quiet, m); s != p2p.Stranger {
		t.Fatalf("it is a %s", s)
	}
	until(t, patience, "it is pending", func() bool { return len(m.knocks.pending(time.Now())) == 1 })
	m.learns(t, r.Admit(t, key))
	until(t, patience, "it is welcome", func() bool { return m.host.Standing(quiet.ID()) == p2p.Member })
}

// TestRotation is followed by those who are there, and by one who was away.
func TestRotation(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	away := all[2]
	away.stop()
	s := all[0].next(t, r, "web")
	all[0].submit(t, s)
	until(t, patience, "it is known", func() bool { return all[1].holds(s) })
	old := r.Key
	all[0].learns(t, r.Rotate(t))
	all[0].learns(t, r.Settle(t)...)
	again := r.Sign(t, r.Key, api.Intent{Ref: ref("web")}, api.Component{Module: api.Program{Blob: api.Sum([]byte("web")), Size: 7}})
	all[0].learns(t, again)
	for i, m := range all[:2] {
		until(t, patience, "it follows the new key", func() bool {
			pin, err := trust.ReadPin(filepath.Join(m.place.dir, "trust.json"))
			return err == nil && pin == r.Pin && m.holds(again)
		})
		select { // it shows its membership by the new key
		case <-m.ended:
		case <-time.After(reopenOver + patience):
			t.Fatal("it is not opened again")
		}
		if !errors.Is(m.err, ErrReopen) {
			t.Fatalf("it ended with %v", m.err)
		}
		m.stop()
		m.place.pin, m.place.proof = r.Pin, m.Membership()
		all[i] = m.place.start(t)
	}
	waitMesh(t, all[:2]...)
	if _, err := all[0].Submit(t.Context(), r.ComponentBy(t, old, "stale", 1).Envelope); err == nil {
		t.Error("the old key goes on to sign")
	}
	back := away.place.start(t) // it knows the old key alone, and shows what that has signed
	until(t, 30*time.Second, "it is back, and follows the new key", func() bool { return back.holds(again) && back.ledger().Owner() == r.Pin.Owner })
	// A node that begins now knows the new key alone.
	fresh := newPlace(t, r).start(t, all[0])
	until(t, 30*time.Second, "it is in", func() bool { return fresh.holds(again) }) // it waits for one that is opened again
}

// TestPages lists more members than fit on one page.
func TestPages(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	const n = api.MaxMembers + 40
	var all []intent.Signed
	for range n - 1 {
		all = append(all, r.Admit(t, meshtest.Key(t)))
	}
	for i := range 300 {
		all = append(all, r.Grant(t, meshtest.Key(t), api.Grant{May: []api.Right{api.RightPush}, Since: time.Now(), Comment: strings.Repeat("x", api.MaxComment-i%7)}))
	}
	if _, errs := m.keeper.Accept(all, intents.BySync); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
	m.knocks.note(meshtest.ID(meshtest.Key(t)), "/ip4/192.0.2.1/tcp/1", time.Now())
	seen := map[api.PeerID]int{}
	pages := 0
	for after, more := api.PeerID(""), true; more; pages++ {
		reply := m.Members(after)
		if err := reply.Validate(); err != nil || len(reply.Members) == 0 {
			t.Fatalf("page %d: %v, %d members", pages, err, len(reply.Members))
		}
		if (len(reply.Grants) > 0) != (pages == 0) {
			t.Errorf("page %d has %d grants", pages, len(reply.Grants))
		}
		for _, m := range reply.Members {
			seen[m.Peer]++
			after = m.Peer
		}
		more = reply.More
	}
	if len(seen) != n+1 || pages < 2 {
		t.Errorf("%d nodes on %d pages; want %d", len(seen), pages, n+1)
	}
}

// TestKnocks remembers some, and not for ever.
func TestKnocks(t *testing.T) {
	var k knocks
	now := time.Now()
	for i := range 2 * maxKnocks {
		k.note(api.PeerID(fmt.Sprintf("peer %03d", i)), fmt.Sprint("from ", i), now.Add(time.Duration(i)*time.Second))
	}
	k.note("peer 100", "from elsewhere", now.Add(2*maxKnocks*time.Second))
	got := k.pending(now.Add(2 * maxKnocks * time.Second))
	if len(got) != maxKnocks || got[0].Peer != api.PeerID(fmt.Sprintf("peer %03d", maxKnocks)) || got[100-maxKnocks].Addr != "from elsewhere" {
		t.Errorf("%d pending, from %+v on", len(got), got[0])
	}
	if got := k.pending(now.Add(2*maxKnocks*time.Second + knockFor + time.Second)); len(got) != 0 {
		t.Errorf("later: %v", got)
	}
}

package node

import (
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// TestClient is a member for a time, for those whom it is connected to.
func TestClient(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	web := all[1].next(t, r, "web")
	all[1].submit(t, web)
	p := waiting(t, r)
	start := time.Now()
	const life = 4 * time.Second
	p.proof = api.Proof{Realm: r.Pin.Realm, Intents: [][]byte{r.Client(t, p.key, start.Add(life)).Envelope}}
	c := p.start(t, all[0])
	until(t, patience, "it is in, and up to date", func() bool { s := c.Status(); return s.Standing == api.StandingClient && s.Synced && c.holds(web) })
	t.Logf("up to date after %v", time.Since(start))
	v := watchTable(all[0])
	until(t, patience, "it is shown as a client", func() bool { rec := v.peer(t, c.self); return rec.Client && rec.Connected })
	if all[0].Neighbours() != 1 {
		t.Errorf("%d neighbours; clients do not count", all[0].Neighbours())
	}
	if slices.ContainsFunc(all[0].Members("").Members, func(m api.Member) bool { return m.Peer == c.self }) {
		t.Error("it is among the members")
	}
	// What it submits spreads further than to whom it is connected.
	s := c.next(t, r, "pushed")
	c.submit(t, s)
	until(t, patience, "all have it", func() bool { return all[0].holds(s) && all[1].holds(s) })

	until(t, life+patience, "its time is over", func() bool { return len(all[0].host.Network().ConnsToPeer(c.host.ID())) == 0 })
	if took := time.Since(start); took < life-time.Second {
		t.Errorf("it was cut off after %v", took)
	}
	until(t, patience, "nothing of it is left", func() bool { return v.peer(t, c.self).Peer == "" })
	time.Sleep(time.Second)
	if n := len(all[0].host.Network().ConnsToPeer(c.host.ID())); n != 0 {
		t.Errorf("it is back, with %d connections", n)
	}
}

// TestClientOfAGrant may come as long as the grant lasts.
func TestClientOfAGrant(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	ci, key := meshtest.Key(t), meshtest.Key(t)
	grant := r.Grant(t, ci, api.Grant{May: []api.Right{api.RightPush}, Since: time.Now().Add(-time.Minute)})
	signed := r.Sign(t, ci, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: meshtest.Name(key)}, Seq: 1}, api.Membership{Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)})
	signed, err := signed.WithGrant(grant.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	show := api.Proof{Realm: r.Pin.Realm, Intents: [][]byte{signed.Envelope}}
	h := visitor(t, r, key, show)
	if got := visit(t, h, m); got != p2p.Member {
		t.Fatalf("it is a %s", got)
	}
	m.learns(t, grant, r.Revoke(t, api.KindGrant, ci))
	until(t, patience, "it is cut off", func() bool { return len(m.host.Network().ConnsToPeer(h.ID())) == 0 })
	h.Close()
	if got := visit(t, visitor(t, r, key, show), m); got != p2p.Stranger {
		t.Errorf("after that it is a %s", got)
	}
}

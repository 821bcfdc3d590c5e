package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/enroll"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// patience bounds what should happen at once, on a busy machine.
const patience = 10 * time.Second

// visitor is a host that shows something, and lets everybody in itself.
func visitor(t *testing.T, r *meshtest.Realm, key ed25519.PrivateKey, show api.Proof) *p2p.Host {
	t.Helper()
	proof, err := ledger.EncodeProof(show)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: r.Pin.Realm, Version: "test", Proof: proof, Judge: func(peer.ID, []byte) p2p.Standing { return p2p.Member }})
	if err != nil {
		t.Fatal(err)
	}
	h.SetStreamHandler(memberProtocol(r.Pin.Realm), func(s network.Stream) { _ = s.Reset() }) // as members do
	t.Cleanup(func() { h.Close() })
	return h
}

// visit has h connect to m, and reports what it is to m a moment later.
func visit(t *testing.T, h *p2p.Host, m *member) p2p.Standing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Connect(ctx, meshtest.Info(m.host)); err != nil {
		return p2p.Stranger
	}
	// A refusal comes after the client's side of the handshake: wait for it, or for
	// the connection to be in the other's list.
	var s p2p.Standing
	for start := time.Now(); time.Since(start) < patience; time.Sleep(time.Millisecond) {
		s = m.host.Standing(h.ID())
		if s != p2p.Stranger || h.Network().Connectedness(m.host.ID()) != network.Connected {
			return s
		}
	}
	t.Fatal("the connection is neither refused nor taken")
	return s
}

// speaks reports whether h gets an answer from m by a protocol.
func speaks(t *testing.T, h *p2p.Host, m *member, id protocol.ID) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(network.WithNoDial(t.Context(), "test"), 2*time.Second)
	defer cancel()
	s, err := h.NewStream(ctx, m.host.ID(), id)
	if err != nil {
		return false
	}
	defer func() { _ = s.Reset() }()
	if _, err := s.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return false
	}
	_ = s.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, err = s.Read(make([]byte, 1))
	return err == nil
}

// joinBy makes a member by a token that m, and no other, countersigns.
func joinBy(t *testing.T, token invite.Token, m *member) *place {
	t.Helper()
	token.Addrs = m.Addrs()[:1]
	p := &place{key: meshtest.Key(t), pin: token.Pin(), dir: t.TempDir(), daemons: m.place.daemons}
	j, err := enroll.Open(t.Context(), enroll.Config{Key: p.key, Token: token, Version: "test", Book: filepath.Join(p.dir, "peers.json"), Listen: p.listen, Log: meshtest.Log()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reply, err := j.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.proof = reply.Proof
	return p
}

// learns has m take what the owner has signed.
func (m *member) learns(t *testing.T, all ...intent.Signed) {
	t.Helper()
	for _, s := range all {
		if _, err := m.Submit(t.Context(), s.Envelope); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhoIsLetIn shows a member everything that is no membership.
func TestWhoIsLetIn(t *testing.T) {
	r, other := meshtest.NewRealm(t), meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	key := meshtest.Key(t)
	other.Admit(t, key)
	hour := api.Invite{Expires: time.Now().Add(time.Hour)}
	token, revoked := r.Invite(t, hour), r.Invite(t, hour)
	m.learns(t, mustRead(t, revoked.Invite), r.Revoke(t, api.KindInvite, revoked.Key))
	joins := func(token invite.Token) api.Proof {
		s, err := token.Join(keys.PublicOf(key))
		if err != nil {
			t.Fatal(err)
		}
		return token.Proof(s)
	}
	someone := meshtest.Key(t)
	admitted := r.Admit(t, someone)
	forged := r.Sign(t, other.Key, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: meshtest.Name(key)}, Seq: 1}, api.Membership{})
	self := r.Sign(t, key, api.Intent{Ref: api.Ref{Kind: api.KindMember, Name: meshtest.Name(key)}, Seq: 1}, api.Membership{})
	proof := func(all ...intent.Signed) (p api.Proof) {
		p.Realm = r.Pin.Realm
		for _, s := range all {
			p.Intents = append(p.Intents, s.Envelope)
		}
		return p
	}
	for name, c := range map[string]struct {
		show api.Proof
		want p2p.Standing
	}{
		"nothing":                    {proof(), p2p.Stranger},
		"of another realm":           {other.Proof(key), p2p.Stranger},
		"of another realm, in ours":  {api.Proof{Realm: r.Pin.Realm, Intents: other.Proof(key).Intents}, p2p.Stranger},
		"somebody else's":            {proof(admitted), p2p.Stranger},
		"signed by another owner":    {proof(forged), p2p.Stranger},
		"signed by itself":           {proof(self), p2p.Stranger},
		"a client's that is over":    {proof(r.Client(t, key, time.Now().Add(-time.Minute))), p2p.Stranger},
		"an invite":                  {joins(token), p2p.Guest},
		"an invite of another realm": {joins(other.Invite(t, hour)), p2p.Stranger},
		"an invite that was revoked": {joins(revoked), p2p.Guest}, // to be told so
		"rubbish":                    {api.Proof{Realm: r.Pin.Realm, Intents: [][]byte{[]byte("x")}}, p2p.Stranger},
		"a client's":                 {proof(r.Client(t, key, time.Now().Add(time.Hour))), p2p.Member},
	} {
		t.Run(name, func(t *testing.T) {
			h := visitor(t, r, key, c.show)
			got := visit(t, h, m)
			if got != c.want {
				t.Fatalf("it is a %s; want %s", got, c.want)
			}
			realm := func(s api.Service) protocol.ID { return protocol.ID(api.Protocol(r.Pin.Realm, s)) }
			for _, id := range []protocol.ID{realm(api.ServiceSync), realm(api.ServiceBlob), realm(api.ServiceCall), identify.ID, ping.ID, api.ProtocolClaim,
				protocol.ID(api.ProtocolDHT(r.Pin.Realm) + "/kad/1.0.0"), protocol.ID("/realm/" + string(r.Pin.Realm) + "/meshsub/1.2.0")} {
				if got != p2p.Member && speaks(t, h, m, id) {
					t.Errorf("%s is spoken with a %s", id, got)
				}
			}
			if in := speaks(t, h, m, realm(api.ServiceEnroll)); in != (got != p2p.Stranger) {
				t.Errorf("enroll is spoken with a %s: %v", got, in)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			until(t, patience, "it is gone", func() bool { return m.host.Standing(h.ID()) == p2p.Stranger })
		})
	}
	if n := m.Neighbours(); n != 0 {
		t.Errorf("%d neighbours", n)
	}
}

func mustRead(t *testing.T, raw []byte) intent.Signed {
	t.Helper()
	s, err := intent.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRevokedMember is expelled everywhere at once, hears nothing more, and is not
// heard; and comes back when the owner lets it in again.
func TestRevokedMember(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	bad := all[2]
	views := []*view{watchTable(all[0]), watchTable(all[1])}
	bad.Table().SetOwn(api.WorkloadFact{Ref: ref("web"), Peer: bad.self, Seq: 1, State: api.StateRunning, Since: time.Now()})
	for _, v := range views {
		until(t, patience, "its facts are known", func() bool { _, ok := v.workload(t, ref("web"), bad.self); return ok })
	}
	start := time.Now()
	all[0].learns(t, r.Revoke(t, api.KindMember, bad.place.key))
	for i, m := range all[:2] {
		until(t, patience, "it is expelled", func() bool { return m.Neighbours() == 1 && len(m.host.Network().ConnsToPeer(bad.host.ID())) == 0 })
		if took := time.Since(start); took > time.Second {
			t.Errorf("member %d has expelled it after %v", i, took)
		}
		until(t, patience, "its records are gone", func() bool {
			_, ok := views[i].workload(t, ref("web"), bad.self)
			return !ok && views[i].peer(t, bad.self).Peer == ""
		})
	}
	until(t, patience, "it knows", func() bool { return bad.Status().Standing == api.StandingRevoked })
	if s := bad.Status(); !strings.Contains(s.Note, "realm peers admit "+string(bad.self)) {
		t.Errorf("it notes %q", s.Note)
	}
	secret := all[0].next(t, r, "secret")
	all[0].submit(t, secret)
	until(t, patience, "the others know the secret", func() bool { return all[1].holds(secret) })
	bad.finder.NetworkChanged() // it tries again, at once
	time.Sleep(time.Second)
	if bad.holds(secret) || bad.Neighbours() != 0 || all[0].Neighbours() != 1 || all[1].Neighbours() != 1 {
		t.Errorf("it holds the secret: %v; neighbours: %d, %d, %d", bad.holds(secret), bad.Neighbours(), all[0].Neighbours(), all[1].Neighbours())
	}

	all[1].learns(t, r.Admit(t, bad.place.key))
	took := until(t, 30*time.Second, "it is back", func() bool { return bad.holds(secret) && all[0].Neighbours() == 2 && all[1].Neighbours() == 2 })
	t.Logf("back after %v", took)
	until(t, patience, "it knows", func() bool { return bad.Status().Standing == api.StandingMember })
}

// TestRevokedWhileAway comes back, and finds out from being let in by nobody.
func TestRevokedWhileAway(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	all[1].stop()
	all[0].learns(t, r.Revoke(t, api.KindMember, all[1].place.key))
	back := all[1].place.start(t, all[0])
	took := until(t, 30*time.Second, "it knows", func() bool { return back.Status().Standing == api.StandingRevoked })
	t.Logf("after %v it says %q", took, back.Status().Note)
	if note := back.Status().Note; !strings.Contains(note, "most likely") || back.ledger().Len() == 0 || all[0].Neighbours() != 0 {
		t.Errorf("it says %q", note)
	}
	all[0].learns(t, r.Admit(t, all[1].place.key))
	until(t, 30*time.Second, "it is back", func() bool { return back.Status().Standing == api.StandingMember && all[0].Neighbours() == 1 })
}

// TestRevokedInvite takes all with it that it has let in, and those whom these have.
func TestRevokedInvite(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	hour := api.Invite{Expires: time.Now().Add(time.Hour)}
	token, second := r.Invite(t, hour), r.Invite(t, hour)
	a := joinBy(t, token, m).start(t, m)
	waitMesh(t, m, a)
	b := joinBy(t, second, a).start(t, a) // countersigned by a
	waitMesh(t, m, a, b)
	m.learns(t, mustRead(t, token.Invite), r.Revoke(t, api.KindInvite, token.Key))
	until(t, patience, "both are out", func() bool { return m.Neighbours() == 0 })
	for _, n := range []*member{a, b} {
		until(t, patience, "it knows", func() bool { return n.Status().Standing == api.StandingRevoked })
	}
	reply := m.Members("")
	if len(reply.Members) != 1 || len(reply.Invites) != 2 {
		t.Errorf("members are %+v, invites %+v", reply.Members, reply.Invites)
	}
	for _, i := range reply.Invites {
		if i.Revoked != (i.Key == meshtest.Name(token.Key)) {
			t.Errorf("invite %+v", i)
		}
	}
}

// TestChainOfWitnesses joins members one by the other, and shows the last one to a
// member that has heard of none of them.
func TestChainOfWitnesses(t *testing.T) {
	r := meshtest.NewRealm(t)
	limits := api.Invite{Expires: time.Now().Add(time.Hour), Roles: []string{"edge", "lab"}}
	token := r.Invite(t, limits)
	first := newPlace(t, r)
	last := first.start(t)
	var stop []*member
	for range 3 {
		stop = append(stop, last)
		last = joinBy(t, token, last).start(t, last)
		waitMesh(t, append(slices.Clone(stop), last)...)
	}
	for _, m := range stop {
		m.stop()
	}
	fresh := newPlace(t, r).start(t, last)
	waitMesh(t, last, fresh)
	m, ok := fresh.ledger().Member(last.key, time.Now())
	if !ok || m.Standing != api.StandingMember || m.By != string(meshtest.Name(token.Key)) || m.Witness == "" {
		t.Errorf("it is known as %+v", m)
	}
	// The roles of the invite hold over what it says of itself, there and here.
	if got := last.Table().Me().Roles; !slices.Equal(got, limits.Roles) {
		t.Errorf("it has the roles %v", got)
	}
	v := watchTable(fresh)
	until(t, patience, "its roles are known", func() bool { return slices.Equal(v.peer(t, last.self).Roles, limits.Roles) })
}

// TestUses wants an invite to let in as many as it says.
func TestUses(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	token := r.Invite(t, api.Invite{Expires: time.Now().Add(time.Hour), Uses: 1}, m.Addrs()[:1]...)
	joinBy(t, token, m)
	p := waiting(t, r)
	j, err := enroll.Open(t.Context(), enroll.Config{Key: p.key, Token: token, Version: "test", Book: filepath.Join(p.dir, "peers.json"), Listen: p.listen, Log: meshtest.Log()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(t.Context()); !errors.Is(err, enroll.ErrRefused) || !strings.Contains(err.Error(), "was for 1 nodes") {
		t.Errorf("Run = %v", err)
	}
}

// TestBackdated shows a join that nobody could have countersigned in time.
func TestBackdated(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	key, helper := meshtest.Key(t), meshtest.Key(t)
	token := r.Invite(t, api.Invite{Expires: time.Now().Add(-time.Hour)})
	join, err := token.Join(keys.PublicOf(key))
	if err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]ed25519.PrivateKey{"by a stranger": helper, "by itself": key, "by the invite": token.Key} {
		for _, at := range []time.Time{time.Now(), time.Now().Add(-2 * time.Hour)} {
			w, err := intent.Countersign(join, by, at)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := join.WithWitness(w)
			if err != nil {
				t.Fatal(err)
			}
			h := visitor(t, r, key, api.Proof{Realm: r.Pin.Realm, Intents: [][]byte{signed.Envelope}})
			if got := visit(t, h, m); got == p2p.Member {
				t.Errorf("%s, at %v: a %s", name, at, got)
			}
			h.Close()
			until(t, patience, "it is gone", func() bool { return m.host.Standing(h.ID()) == p2p.Stranger })
		}
	}
}

// TestExpiredByTheMembersClock wants the clock of the member to count, and no other.
func TestExpiredByTheMembersClock(t *testing.T) {
	r := meshtest.NewRealm(t)
	p := newPlace(t, r)
	p.clock.Store(int64(2 * time.Hour))
	m := p.start(t)
	token := r.Invite(t, api.Invite{Expires: time.Now().Add(time.Hour)}, m.Addrs()[:1]...)
	g := waiting(t, r)
	j, err := enroll.Open(t.Context(), enroll.Config{Key: g.key, Token: token, Version: "test", Book: filepath.Join(g.dir, "peers.json"), Listen: g.listen, Log: meshtest.Log()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(t.Context()); !errors.Is(err, enroll.ErrRefused) || !strings.Contains(err.Error(), "ended at") {
		t.Errorf("Run = %v", err)
	}
}

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

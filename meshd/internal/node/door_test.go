package node

import (
	"context"
	"crypto/ed25519"
	"errors"
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
	"github.com/realm-mesh/realm/meshd/internal/enroll"
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
			for _, id := range []protocol.ID{realm(api.ServiceSync), realm(api.ServiceBlob), realm(api.ServiceCall), realm(api.ServiceNode), identify.ID, ping.ID, api.ProtocolClaim,
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

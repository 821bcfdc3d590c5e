package node

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/enroll"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// TestAskedTwice has a node ask one member to be let in, while another one has done
// that and the first knows it: a joiner asks several, and answers get lost.
func TestAskedTwice(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	waitMesh(t, all...)
	key := meshtest.Key(t)
	limits := api.Invite{Uses: 1, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	token := o.Invite(t, limits, at(all[0]))
	guest := asGuest(t, token, key, all[1])

	letIn(t, token, key, "the first member")
	until(t, 5*time.Second, "the other member knows it", func() bool {
		m, ok := all[1].ledger().Member(keys.PublicOf(key), time.Now())
		return ok && m.Standing == api.StandingMember
	})
	// Whatever is concluded from that is concluded within this time.
	time.Sleep(5 * trustSettle)
	if len(guest.Network().ConnsToPeer(all[1].host.ID())) == 0 {
		t.Error("the member has closed the connection on which it is asked")
	}
	token.Addrs = []string{at(all[1])}
	for range 3 {
		letIn(t, token, key, "the other member")
	}
}

// at is an address of m, with its peer id.
func at(m *member) string { return m.host.Addrs()[0].String() + "/p2p/" + m.host.ID().String() }

// letIn has the members that token names let the node in.
func letIn(t *testing.T, token invite.Token, key ed25519.PrivateKey, who string) {
	t.Helper()
	j, err := enroll.Open(t.Context(), enroll.Config{Key: key, Token: token, Version: "test", Book: filepath.Join(t.TempDir(), "peers.json"), Log: meshtest.Log(),
		Listen: func(ctx context.Context, h host.Host) error {
			_, err := meshtest.Loopback(ctx, h, 0)
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	start := time.Now()
	reply, err := j.Run(ctx)
	if err != nil || reply.Proof.Realm == "" {
		t.Fatalf("%s does not let it in: %v: %s", who, err, j.Note())
	}
	t.Logf("%s has let it in after %v", who, time.Since(start))
}

// asGuest connects a host to m that shows what a joiner does.
func asGuest(t *testing.T, token invite.Token, key ed25519.PrivateKey, m *member) *p2p.Host {
	t.Helper()
	join, err := token.Join(keys.PublicOf(key))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := ledger.EncodeProof(token.Proof(join))
	if err != nil {
		t.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: token.Realm, Version: "test", Proof: shown,
		Judge:          func(peer.ID, []byte) p2p.Standing { return p2p.Guest },
		GuestProtocols: []protocol.ID{protocol.ID(api.Protocol(token.Realm, api.ServiceEnroll))}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: m.host.ID(), Addrs: m.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	return h
}

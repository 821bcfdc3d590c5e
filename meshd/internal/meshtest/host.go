package meshtest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Host is the host of a fresh member, which lets in whom r's ledger, or a proof, says
// to be one. It listens once [Loopback] is called, and is closed at the end of t.
func (r *Realm) Host(t testing.TB) *p2p.Host {
	t.Helper()
	key := Key(t)
	r.Admit(t, key)
	return r.HostOf(t, key)
}

// HostOf is [Realm.Host] for a member that has been admitted.
func (r *Realm) HostOf(t testing.TB, key ed25519.PrivateKey) *p2p.Host {
	t.Helper()
	h, err := p2p.New(p2p.Config{Key: key, Realm: r.Pin.Realm, Version: "test", Proof: r.Shown(t, key), Judge: r.Judge})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Judge tells members from all others, as [p2p.Config] wants it.
func (r *Realm) Judge(p peer.ID, proof []byte) p2p.Standing {
	pub, err := keys.OfPeer(api.PeerID(p.String()))
	if err != nil || r.Ledger.Judge(pub, proof, time.Now()).Standing != api.StandingMember {
		return p2p.Stranger
	}
	return p2p.Member
}

// Loopback has h listen on the loopback interface alone: on a port, or where it is 0
// on a free one, which is returned for the next time.
func Loopback(ctx context.Context, h host.Host, port int) (_ int, err error) {
	if port == 0 {
		if port, err = p2p.FreePort(ctx); err != nil {
			return 0, err
		}
	}
	for _, s := range []string{"/ip4/127.0.0.1/udp/%d/quic-v1", "/ip4/127.0.0.1/tcp/%d"} {
		if err := h.Network().Listen(ma.StringCast(fmt.Sprintf(s, port))); err != nil {
			return 0, err
		}
	}
	return port, nil
}

// Listen is [Loopback] on a free port.
func Listen(t testing.TB, h host.Host) {
	t.Helper()
	if _, err := Loopback(t.Context(), h, 0); err != nil {
		t.Fatal(err)
	}
}

// Info is where h is reached.
func Info(h host.Host) peer.AddrInfo {
	return peer.AddrInfo{ID: h.ID(), Addrs: h.Network().ListenAddresses()}
}

// Log shows everything where REALM_LOG_LEVEL is set, and nothing elsewhere.
func Log() *slog.Logger {
	if os.Getenv(telemetry.EnvLogLevel) == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Until waits for something that nothing tells of from the outside.
func Until(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

// Peer is the id of the node with this key in libp2p's form.
func Peer(t testing.TB, key crypto.Signer) peer.ID {
	t.Helper()
	p, err := p2p.Decode(ID(key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

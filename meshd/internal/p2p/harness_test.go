package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/internal/kit/keys"
)

// patience bounds what should take milliseconds on a busy machine.
const patience = 10 * time.Second

// echo is a protocol for members.
const echo protocol.ID = "/test/echo/1"

// byProof takes each peer for what it says it is, which no real judge does.
func byProof(_ peer.ID, proof []byte) Standing {
	what, _, _ := strings.Cut(string(proof), " ")
	switch what {
	case "member":
		return Member
	case "guest":
		return Guest
	default:
		return Stranger
	}
}

func everybody(peer.ID, []byte) Standing { return Member }

func newKey(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// nameOf is the peer id of a key.
func nameOf(tb testing.TB, key ed25519.PrivateKey) string {
	tb.Helper()
	return string(keys.Peer(key.Public().(ed25519.PublicKey)))
}

// place is a host that listens, and counts what reaches it.
type place struct {
	*Host
	echoes atomic.Int64 // streams that its handler was given

	mu  sync.Mutex
	met map[peer.ID]int // connections that it has had
}

// open makes a host on loopback. Key and Judge have defaults.
func open(tb testing.TB, c Config) *place {
	tb.Helper()
	if c.Key == nil {
		c.Key = newKey(tb)
	}
	if c.Judge == nil {
		c.Judge = byProof
	}
	c.Version = "test"
	h, err := newHost(c) // attackers check nothing of their own
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	p := &place{Host: h, met: map[peer.ID]int{}}
	h.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.met[c.RemotePeer()]++
	}})
	h.SetStreamHandler(echo, func(s network.Stream) { p.echoes.Add(1); _, _ = io.Copy(s, s); s.Close() })
	listenLoopback(tb, h)
	return p
}

// saw is how many connections to other p has had.
func (p *place) saw(other peer.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met[other]
}

func listenLoopback(tb testing.TB, h host.Host) {
	tb.Helper()
	for _, a := range []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"} {
		if err := h.Network().Listen(ma.StringCast(a)); err != nil {
			tb.Fatal(err)
		}
	}
}

// at is h by one transport.
func at(h host.Host, code int) peer.AddrInfo {
	ai := peer.AddrInfo{ID: h.ID()}
	for _, a := range h.Network().ListenAddresses() {
		if _, err := a.ValueForProtocol(code); err == nil && !strings.Contains(a.String(), "p2p-circuit") {
			ai.Addrs = append(ai.Addrs, a)
		}
	}
	return ai
}

// ways are the addresses of h by QUIC, TCP, and a relay that lets everybody in.
func ways(t *testing.T, h *Host) map[string]peer.AddrInfo {
	t.Helper()
	return map[string]peer.AddrInfo{"QUIC": at(h, ma.P_QUIC_V1), "TCP": at(h, ma.P_TCP), "relay": relayed(t, h)}
}

const relayProof = "member and relay"

// relayed makes h reachable through a member, which has heard of nobody's revocation.
func relayed(t *testing.T, h *Host) peer.AddrInfo {
	t.Helper()
	r := open(t, Config{Proof: []byte(relayProof), Judge: everybody})
	service, err := relay.New(r.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	info := at(r, ma.P_TCP)
	if err := h.Connect(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Reserve(t.Context(), h, info); err != nil {
		t.Fatal(err)
	}
	return peer.AddrInfo{ID: h.ID(), Addrs: []ma.Multiaddr{info.Addrs[0].Encapsulate(ma.StringCast("/p2p/" + r.ID().String() + "/p2p-circuit"))}}
}

func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			tb.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// direct and relayed connections alike may be used.
func anyConn(ctx context.Context) context.Context { return network.WithAllowLimitedConn(ctx, "test") }

// reaches asks the echo of p.
func reaches(ctx context.Context, h host.Host, p peer.ID) error { return speaks(ctx, h, p, echo) }

// speaks sends a few bytes by a protocol that returns them.
func speaks(ctx context.Context, h host.Host, p peer.ID, id protocol.ID) error {
	ctx, cancel := context.WithTimeout(anyConn(ctx), patience)
	defer cancel()
	s, err := h.NewStream(network.WithNoDial(ctx, "test"), p, id)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(s, "hello"); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	b, err := io.ReadAll(s)
	if err == nil && string(b) != "hello" {
		err = errors.New("no echo: " + string(b))
	}
	return err
}

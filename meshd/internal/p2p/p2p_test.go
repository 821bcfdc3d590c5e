package p2p

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestHost(t *testing.T) (host.Host, ed25519.PrivateKey) {
	t.Helper()
	key := newKey(t)
	h, err := New(Config{Key: key, Realm: api.NewRealmID(make(ed25519.PublicKey, 32)), Version: "v1", Roles: []string{"edge"}, Judge: everybody})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, key
}

func TestPeerIDIsThatOfTheKey(t *testing.T) {
	h, key := newTestHost(t)
	id, err := ID(h.ID())
	if err != nil || id != keys.Peer(key.Public().(ed25519.PublicKey)) {
		t.Errorf("the host is %s, %v", id, err)
	}
	back, err := Decode(id)
	if err != nil || back != h.ID() {
		t.Errorf("Decode = %s, %v", back, err)
	}
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	port, err := KeptPort(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := KeptPort(t.Context(), path); err != nil || again != port {
		t.Errorf("the port was %d and is %d, %v", port, again, err)
	}
	h, _ := newTestHost(t)
	if err := Listen(t.Context(), h, port); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(PasteAddrs(h), "\n")
	if strings.Contains(all, "p2p-circuit") {
		t.Errorf("an address that leads nowhere is among\n%s", all)
	}
	for _, want := range []string{
		fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1/p2p/%s", port, h.ID()),
		fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", port, h.ID()),
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among\n%s", want, all)
		}
	}
	if hasIPv6(t.Context()) && !strings.Contains(all, fmt.Sprintf("/ip6/::1/udp/%d/quic-v1", port)) {
		t.Errorf("no IPv6 among\n%s", all)
	}
	other, _ := newTestHost(t)
	if err := Listen(t.Context(), other, port); !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), "REALM_LISTEN_PORT") {
		t.Errorf("a second node on the port: %v", err)
	}
	for _, addr := range PasteAddrs(h)[:1] {
		ai, err := peer.AddrInfoFromString(addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Connect(t.Context(), *ai); err != nil {
			t.Errorf("dial %s: %v", addr, err)
		}
	}
}

func TestPortTakenByTCPAlone(t *testing.T) {
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h, _ := newTestHost(t)
	if err := Listen(t.Context(), h, l.Addr().(*net.TCPAddr).Port); !errors.Is(err, ErrPortTaken) {
		t.Errorf("Listen = %v; want ErrPortTaken", err)
	}
}

func TestKeptPortIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	for _, text := range []string{"", "no port", "0", "65536", "-1"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if port, err := KeptPort(t.Context(), path); err == nil {
			t.Errorf("%q is taken for port %d", text, port)
		}
	}
}

func TestParseBootstrap(t *testing.T) {
	const id, id2 = "12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44", "12D3KooWHGGzTh2uXjsmJQhsqiqAHaJcg7q93m5xueoCVCNvVUQL"
	got, err := ParseBootstrap([]string{
		"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/" + id, "/dns4/example.com/tcp/4001/p2p/" + id2,
		"/ip6/2001:db8::1/tcp/4001/p2p/" + id, "/dnsaddr/example.com/p2p/" + id2,
	})
	if err != nil || len(got) != 2 || len(got[0].Addrs) != 2 || len(got[1].Addrs) != 2 || got[0].ID.String() != id {
		t.Errorf("ParseBootstrap = %v, %v; want two addresses for each of two", got, err)
	}
	for _, bad := range []string{
		"", "192.0.2.1:4001", "/ip4/192.0.2.1/tcp/4001", "/p2p/" + id, "/ip4/192.0.2.300/tcp/4001/p2p/" + id,
		"/ip4/192.0.2.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "/ip4/192.0.2.1/tcp/4001/p2p/nonsense",
	} {
		if _, err := ParseBootstrap([]string{bad}); !errors.Is(err, config.ErrInvalid) {
			t.Errorf("%q: %v; want ErrInvalid", bad, err)
		}
	}
}

func TestAddressesForOthers(t *testing.T) {
	parse := func(addrs ...string) (out []ma.Multiaddr) {
		for _, a := range addrs {
			out = append(out, ma.StringCast(a))
		}
		return out
	}
	text := func(addrs []ma.Multiaddr) (out []string) {
		for _, a := range addrs {
			out = append(out, a.String())
		}
		return out
	}
	for name, c := range map[string]struct{ in, want []string }{
		"the likeliest first, loopback left out": {
			[]string{"/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/192.168.1.2/tcp/1", "/ip6/2a01:4f8::1/tcp/1", "/ip4/192.168.1.2/udp/1/quic-v1", "/ip4/8.8.8.8/udp/1/quic-v1"},
			[]string{"/ip4/8.8.8.8/udp/1/quic-v1", "/ip6/2a01:4f8::1/tcp/1", "/ip4/192.168.1.2/udp/1/quic-v1", "/ip4/192.168.1.2/tcp/1"},
		},
		"loopback where there is nothing else": {
			[]string{"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1"},
			[]string{"/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/1"},
		},
		"relays by name only": {
			[]string{"/p2p-circuit", "/ip4/8.8.8.8/tcp/1/p2p/12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44/p2p-circuit"},
			[]string{"/ip4/8.8.8.8/tcp/1/p2p/12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44/p2p-circuit"},
		},
		"nothing": {nil, nil},
	} {
		if got := text(advertised(parse(c.in...))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
}

// FuzzParseAddrs takes addresses as a hostile member may give them.
func FuzzParseAddrs(f *testing.F) {
	f.Add("/ip4/192.0.2.1/udp/4001/quic-v1")
	f.Add("/ip4/0.0.0.0/tcp/1")
	f.Add("/ip4/192.0.2.1/tcp/1/p2p/12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44")
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseAddrs([]string{s, s, s}, 2)
		if len(got) > 2 {
			t.Fatalf("%d addresses; want at most 2", len(got))
		}
		for _, a := range got {
			if _, err := a.ValueForProtocol(ma.P_P2P); err == nil {
				t.Fatalf("%s names a peer of its own", a)
			}
		}
	})
}

package p2p

import (
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestDialRank(t *testing.T) {
	tests := []struct {
		name  string
		order []string // one group after the other; what is in a group goes at once
	}{
		{"on a local network", []string{"/ip4/192.168.1.2/tcp/4001", "/ip4/192.168.1.2/udp/4001/quic-v1"}},
		{"within a machine", []string{"/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/udp/4001/quic-v1"}},
		{"over IPv6", []string{"/ip6/fd00::2/tcp/4001", "/ip6/fd00::2/udp/4001/quic-v1"}},
		{"on a network of this machine", []string{"/ip4/198.51.100.9/tcp/4001", "/ip4/198.51.100.9/udp/4001/quic-v1"}},
		{"across the Internet", []string{"/ip4/203.0.113.7/udp/4001/quic-v1", "/ip4/203.0.113.7/tcp/4001"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var addrs []ma.Multiaddr
			for i := len(tt.order) - 1; i >= 0; i-- {
				addrs = append(addrs, ma.StringCast(tt.order[i]))
			}
			at := map[string]time.Duration{}
			for _, d := range rankFor(addrs, []*net.IPNet{{IP: net.IPv4(198, 51, 100, 0), Mask: net.CIDRMask(24, 32)}}) {
				at[d.Addr.String()] = d.Delay
			}
			if len(at) != len(tt.order) || at[tt.order[0]] != 0 {
				t.Fatalf("%v", at)
			}
			for i := 1; i < len(tt.order); i++ {
				if at[tt.order[i]] <= at[tt.order[i-1]] {
					t.Errorf("%v; want the order %v", at, tt.order)
				}
			}
		})
	}
	if d := dialRank([]ma.Multiaddr{ma.StringCast("/ip4/192.168.1.2/udp/4001/quic-v1")}); len(d) != 1 || d[0].Delay != 0 {
		t.Errorf("QUIC alone waits: %v", d)
	}
}

func TestWithTCP(t *testing.T) {
	for in, want := range map[string]string{
		"/ip4/192.0.2.1/udp/4001/quic-v1":              "/ip4/192.0.2.1/tcp/4001",
		"/dns4/shed.example/udp/4001/quic-v1":          "/dns4/shed.example/tcp/4001",
		"/ip6/2001:db8::1/udp/1/quic-v1":               "/ip6/2001:db8::1/tcp/1",
		"/ip4/192.0.2.1/tcp/4001":                      "",
		"/ip4/192.0.2.1/udp/4001/quic-v1/webtransport": "",
		"/ip4/192.0.2.1/udp/4001/quic-v1/p2p-circuit":  "",
		"/ip4/192.0.2.1/udp/4001/webrtc-direct":        "",
		"/ip4/192.0.2.1/tcp/4001/p2p-circuit":          "",
	} {
		ai := WithTCP(peer.AddrInfo{ID: "p", Addrs: []ma.Multiaddr{ma.StringCast(in)}})
		var got string
		if len(ai.Addrs) > 1 {
			got = ai.Addrs[1].String()
		}
		if ai.ID != "p" || got != want || ai.Addrs[0].String() != in {
			t.Errorf("%s: %v; want %q besides", in, ai, want)
		}
	}
	both := []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/udp/1/quic-v1"), ma.StringCast("/ip4/192.0.2.1/tcp/1")}
	if ai := WithTCP(peer.AddrInfo{Addrs: both}); len(ai.Addrs) != 2 {
		t.Errorf("what is there already: %v", ai.Addrs)
	}
}

// Whoever is told how to reach a neighbour over QUIC reaches it over TCP, and over QUIC
// where there is no TCP.
func TestNeighboursMeetOverTCP(t *testing.T) {
	for name, listen := range map[string][]int{"both": {ma.P_QUIC_V1, ma.P_TCP}, "QUIC alone": {ma.P_QUIC_V1}} {
		t.Run(name, func(t *testing.T) {
			a := open(t, Config{Proof: []byte("member a"), Judge: everybody})
			b := open(t, Config{Proof: []byte("member b"), Judge: everybody})
			ai := at(b.Host, ma.P_QUIC_V1)
			if len(listen) > 1 {
				ai.Addrs = append(ai.Addrs, at(b.Host, ma.P_TCP).Addrs...)
			}
			if err := a.Connect(t.Context(), ai); err != nil {
				t.Fatal(err)
			}
			for _, c := range a.Network().ConnsToPeer(b.ID()) {
				if got := isTCP(c.RemoteMultiaddr()); got != (len(listen) > 1) {
					t.Errorf("connected by %s", c.RemoteMultiaddr())
				}
			}
		})
	}
}

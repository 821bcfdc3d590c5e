package p2p

import (
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// TestOtherSoftware lets libp2p as it comes, and parts of it, meet a node whose
// judge would take anybody.
func TestOtherSoftware(t *testing.T) {
	for name, opts := range map[string][]libp2p.Option{
		"all defaults": {libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0")},
		"noise alone":  {libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(noise.ID, noise.New), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")},
		"TLS alone":    {libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")},
		"TLS under our name": {libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(string(securityID), libp2ptls.New),
			libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")},
		"no security": {libp2p.Transport(tcp.NewTCPTransport), libp2p.NoSecurity, libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")},
		"QUIC alone":  {libp2p.Transport(libp2pquic.NewTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1")},
	} {
		t.Run(name, func(t *testing.T) {
			node := open(t, Config{Judge: everybody, Knock: func(p peer.ID, _ string, _ []byte) { t.Errorf("%s is passed on, and has shown nothing", p) }})
			other, err := libp2p.New(append(opts, libp2p.DisableRelay(), libp2p.DisableMetrics())...)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			inbound := other.Connect(t.Context(), peer.AddrInfo{ID: node.ID(), Addrs: node.Addrs()})
			if inbound == nil {
				inbound = reaches(t.Context(), other, node.ID())
			}
			if outbound := node.Connect(t.Context(), peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}); inbound == nil || outbound == nil {
				t.Errorf("inbound: %v; outbound: %v", inbound, outbound)
			}
			if n := node.saw(other.ID()); n != 0 || node.echoes.Load() != 0 {
				t.Errorf("it had %d connections, %d streams were served", n, node.echoes.Load())
			}
		})
	}
}

// TestUncheckedWay has a transport that nobody has thought of: what has not been
// checked does not get in.
func TestUncheckedWay(t *testing.T) {
	node := open(t, Config{Judge: everybody})
	for name, way := range map[string]network.Conn{"TCP": upgraded{}, "QUIC": upgraded{scope: &connScope{}}} {
		if ok, _ := (gate{node.door}).InterceptUpgraded(way); ok {
			t.Errorf("%s: it got in", name)
		}
	}
}

// upgraded is a connection of which nothing is known.
type upgraded struct {
	network.Conn
	scope network.ConnScope
}

func (upgraded) As(any) bool                { return false }
func (u upgraded) Scope() network.ConnScope { return u.scope }

package p2p

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	netconnmgr "github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/realm-mesh/realm/api"
)

// MaxMesh is how many members a node keeps itself connected to. Up to that many,
// everybody is connected to everybody; above it the DHT and gossip connect as
// they need.
const MaxMesh = 32

// The connection manager trims down to connsLow when there are more than
// connsHigh, sparing connections younger than connsGrace.
const (
	connsLow   = 3 * MaxMesh
	connsHigh  = 4 * MaxMesh
	connsGrace = time.Minute
)

// Streams that one peer may have open towards this node at once, by service. The
// caller queues at the same figure (package streams), so that an honest one is
// never refused.
const (
	StreamsSync = 16
	StreamsBlob = 64
	StreamsCall = 256
	StreamsNode = 8
	StreamsJob  = 64
)

// StreamsJobReads is how many of [StreamsJob] may read: output is followed for long.
const StreamsJobReads = 48

// StreamCap is the cap of a service among the above.
func StreamCap(s api.Service) int {
	switch s {
	case api.ServiceBlob:
		return StreamsBlob
	case api.ServiceCall:
		return StreamsCall
	case api.ServiceNode:
		return StreamsNode
	case api.ServiceJob:
		return StreamsJob
	default:
		return StreamsSync
	}
}

// Limits of the resource manager. Memory is what transports and muxers may
// reserve for windows, not what the process uses at rest.
const (
	systemConns   = 512
	systemStreams = 16 << 10
	systemMemory  = 256 << 20

	transientConns   = 192             // handshakes; the members that connsHigh allows find room besides
	transientStreams = 4 * peerStreams // of unknown protocol: no peer fills it alone
	transientMemory  = 32 << 20

	peerConns   = 8 // two addresses dialled by both sides at once make four
	peerStreams = 1024
	peerMemory  = 96 << 20 // one QUIC connection may open its window to 15 MiB, a stream to 10 MiB

	// Many nodes of a realm stand behind one address: a container host, an office.
	connsPerIP4    = 64
	connsPerIP6Net = 64 // each /56
)

// Handshakes that are under way. Each holds some goroutines and up to maxHandshake
// bytes, until it is done or handshakeFor has passed; on QUIC quic-go gives up after
// 5 s of silence and 10 s in all.
const (
	handshakeFor       = dialTimeout // nobody who dials waits longer
	handshakesPerNet   = 16          // by one IPv4 address, or IPv6 /56, on each transport: what quicreuse queues
	handshakesLoopback = 48          // many nodes on one machine start at once; fewer than connsPerIP4
	busyHandshakes     = 32          // from here on QUIC clients must prove their address
)

// New connections by one address, or IPv6 /56, in both directions: enough for
// connsPerIP4 nodes that come back at once, by two transports.
var connRate = rate.Limit{RPS: 4, Burst: 2 * connsPerIP4}

func limits(realm api.RealmID) rcmgr.ConcreteLimitConfig {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	set := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: systemConns, ConnsInbound: systemConns * 3 / 4, ConnsOutbound: systemConns * 3 / 4,
			Streams: systemStreams, StreamsInbound: systemStreams, StreamsOutbound: systemStreams, Memory: systemMemory,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: transientConns, ConnsInbound: transientConns, ConnsOutbound: transientConns,
			Streams: transientStreams, StreamsInbound: transientStreams, StreamsOutbound: transientStreams, Memory: transientMemory,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: peerConns, ConnsInbound: peerConns, ConnsOutbound: peerConns,
			Streams: peerStreams, StreamsInbound: peerStreams, StreamsOutbound: peerStreams, Memory: peerMemory,
		},
		Protocol:     map[protocol.ID]rcmgr.ResourceLimits{},
		ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{},
	}
	if realm != "" {
		for _, s := range []api.Service{api.ServiceSync, api.ServiceBlob, api.ServiceCall, api.ServiceNode, api.ServiceJob} {
			id, n := protocol.ID(api.Protocol(realm, s)), rcmgr.LimitVal(StreamCap(s))
			set.ProtocolPeer[id] = rcmgr.ResourceLimits{Streams: 2 * n, StreamsInbound: n, StreamsOutbound: n, Memory: peerMemory}
			set.Protocol[id] = rcmgr.ResourceLimits{Streams: systemStreams / 2, StreamsInbound: systemStreams / 4, StreamsOutbound: systemStreams / 4, Memory: systemMemory}
		}
	}
	return set.Build(scaling.AutoScale())
}

func resourceManager(realm api.RealmID) (network.ResourceManager, error) {
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits(realm)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP4}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP6Net}, {PrefixLength: 48, ConnCount: 4 * connsPerIP6Net}}),
		rcmgr.WithConnRateLimiters(newLimiter(rate.Limit{}, connRate)))
}

// newLimiter limits all together, and each IPv4 address or IPv6 /56 by itself.
// Within one machine only the first counts. A zero limit is none.
func newLimiter(all, each rate.Limit) *rate.Limiter {
	return &rate.Limiter{
		GlobalLimit: all,
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Limit: all},
			{Prefix: netip.MustParsePrefix("::1/128"), Limit: all},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: each}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: each}},
			GracePeriod:      time.Minute,
		},
	}
}

// addrIP is the first IP address in addr, a relay's for relayed connections; the
// zero Addr without one.
func addrIP(addr ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(addr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip) // the zero Addr when it fails
	return a.Unmap()
}

// addrNet is what one household has: an IPv4 address, or an IPv6 /56.
func addrNet(a netip.Addr) netip.Prefix {
	bits := 56
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // fails for no length that is used here
	return p
}

func connectionManager() (connmgr.ConnManager, error) {
	return netconnmgr.NewConnManager(connsLow, connsHigh, netconnmgr.WithGracePeriod(connsGrace))
}

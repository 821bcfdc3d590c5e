package p2p

import (
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// lanQUICDelay is how much later QUIC is tried than TCP on a local network.
const lanQUICDelay = time.Second

// dialRank says in which order the addresses of a peer are dialled. On a local network
// and within a machine TCP goes first: the kernel does there what QUIC does in this
// process, for a quarter of the processor's time by byte (BenchmarkBody in package
// streams). Across the Internet QUIC goes first, which loses less to lost packets.
func dialRank(addrs []ma.Multiaddr) []network.AddrDelay { return rankFor(addrs, onLink()) }

func rankFor(addrs []ma.Multiaddr, links []*net.IPNet) []network.AddrDelay {
	var lanTCP, rest []ma.Multiaddr
	for _, a := range addrs {
		if isTCP(a) && isLAN(a, links) {
			lanTCP = append(lanTCP, a)
		} else {
			rest = append(rest, a)
		}
	}
	out := swarm.DefaultDialRanker(lanTCP)
	for _, d := range swarm.DefaultDialRanker(rest) {
		if len(lanTCP) > 0 && isLAN(d.Addr, links) {
			d.Delay += lanQUICDelay
		}
		out = append(out, d)
	}
	return out
}

// isLAN reports whether a leads to a local network: to one that this machine is on, or
// to one whose addresses nobody has on the Internet.
func isLAN(a ma.Multiaddr, links []*net.IPNet) bool {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return false
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	return manet.IsPrivateAddr(a) || ip.IsLoopback() || ip.IsLinkLocalUnicast() ||
		slices.ContainsFunc(links, func(n *net.IPNet) bool { return n.Contains(ip) })
}

// onLink are the networks that this machine is on.
func onLink() []*net.IPNet {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // what is left are the addresses that tell by themselves
	}
	var out []*net.IPNet
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n)
		}
	}
	return out
}

func isTCP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_TCP)
	return err == nil
}

// WithTCP adds to addresses of a node for QUIC those for TCP: nodes have both on one
// port. Who is told one of them finds the better way by that.
func WithTCP(ai peer.AddrInfo) peer.AddrInfo {
	all := slices.Clone(ai.Addrs)
	for _, a := range ai.Addrs {
		if b := overTCP(a); b != nil && !slices.ContainsFunc(all, b.Equal) {
			all = append(all, b)
		}
	}
	return peer.AddrInfo{ID: ai.ID, Addrs: all}
}

// overTCP is a, which is for QUIC, for TCP; nil for other addresses.
func overTCP(a ma.Multiaddr) ma.Multiaddr {
	var out ma.Multiaddr
	quic := false
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_UDP:
			tcp, err := ma.NewComponent("tcp", c.Value())
			if err != nil {
				return nil
			}
			c = *tcp
		case ma.P_QUIC_V1:
			quic = true
			continue
		case ma.P_CIRCUIT, ma.P_WEBTRANSPORT:
			return nil
		}
		out = append(out, c)
	}
	if !quic {
		return nil
	}
	return out
}

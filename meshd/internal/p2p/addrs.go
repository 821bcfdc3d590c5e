package p2p

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/realm-mesh/realm/internal/kit/config"
)

// rank orders addresses by how likely they are to be of use to somebody else:
// public before private before loopback, the address that leads out of this
// machine before those of bridges to containers, IPv4 before IPv6, QUIC before TCP.
func rank(a ma.Multiaddr, out net.IP) int {
	r := 0
	switch {
	case manet.IsIPLoopback(a):
		r += 16
	case !manet.IsPublicAddr(a):
		r += 8
	}
	if ip, err := manet.ToIP(a); err != nil || !ip.Equal(out) {
		r += 4
	}
	if _, err := a.ValueForProtocol(ma.P_IP6); err == nil {
		r += 2
	}
	if _, err := a.ValueForProtocol(ma.P_QUIC_V1); err != nil {
		r++
	}
	return r
}

// outbound is this machine's address on the way to the internet; nil without one.
// Connecting a UDP socket looks a route up and sends nothing.
func outbound() net.IP {
	c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 9}) // RFC 5737: nobody's
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP
}

func ranked(addrs []ma.Multiaddr) []ma.Multiaddr {
	addrs, out := slices.Clone(addrs), outbound()
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int { return rank(a, out) - rank(b, out) })
	return addrs
}

// advertised is what others are told: loopback addresses only where there is
// nothing else, since they lead everybody else to themselves.
func advertised(addrs []ma.Multiaddr) []ma.Multiaddr {
	addrs = slices.DeleteFunc(slices.Clone(addrs), anyRelay)
	out := slices.DeleteFunc(slices.Clone(addrs), manet.IsIPLoopback)
	if len(out) == 0 {
		out = addrs
	}
	return ranked(out)
}

// anyRelay tells the address by which libp2p listens for relayed connections. It
// names no relay, and leads nowhere.
func anyRelay(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	_, errRelay := a.ValueForProtocol(ma.P_P2P)
	return err == nil && errRelay != nil
}

// Addrs are the addresses that a host tells others, the likeliest to be of use
// first, without the peer id.
func Addrs(h host.Host) []string {
	var out []string
	for _, a := range ranked(h.Addrs()) {
		out = append(out, a.String())
	}
	return out
}

// PasteAddrs are all addresses of a host, loopback included, with its peer id:
// ready to be given to another node.
func PasteAddrs(h host.Host) []string {
	all := slices.Clone(h.Addrs())
	// It fails only when interfaces cannot be listed; what the host tells others remains.
	if own, err := h.Network().InterfaceListenAddresses(); err == nil {
		for _, a := range own {
			if !slices.ContainsFunc(all, a.Equal) {
				all = append(all, a)
			}
		}
	}
	out := []string{}
	for _, a := range ranked(slices.DeleteFunc(all, anyRelay)) {
		out = append(out, a.String()+"/p2p/"+h.ID().String())
	}
	return out
}

// errNoPeerID says what a bootstrap address lacks.
var errNoPeerID = errors.New("it has no peer id: it must end in /p2p/PEER, as realm up prints it on that node")

// ParseBootstrap reads the addresses of a node's settings. Addresses of one peer
// are put together. Errors are [config.ErrInvalid].
func ParseBootstrap(addrs []string) ([]peer.AddrInfo, error) {
	var out []peer.AddrInfo
	for _, s := range addrs {
		ai, err := parseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("%w: bootstrap %.200q: %w", config.ErrInvalid, s, err)
		}
		i := slices.IndexFunc(out, func(o peer.AddrInfo) bool { return o.ID == ai.ID })
		if i < 0 {
			out = append(out, ai)
			continue
		}
		out[i].Addrs = append(out[i].Addrs, ai.Addrs...)
	}
	return out, nil
}

func parseAddr(s string) (peer.AddrInfo, error) {
	m, err := ma.NewMultiaddr(s)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	ai, err := peer.AddrInfoFromP2pAddr(m)
	if err != nil {
		return peer.AddrInfo{}, errNoPeerID
	}
	if len(ai.Addrs) == 0 {
		return peer.AddrInfo{}, errors.New("it names a peer, but no place: put /ip4/…/udp/PORT/quic-v1 before /p2p")
	}
	if _, err := ID(ai.ID); err != nil {
		return peer.AddrInfo{}, err
	}
	return *ai, nil
}

// ParseAddrs reads addresses that other members gave, at most limit; what is no
// address is left out.
func ParseAddrs(addrs []string, limit int) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range addrs {
		if len(out) == limit {
			break
		}
		m, err := ma.NewMultiaddr(s)
		if err != nil || manet.IsIPUnspecified(m) {
			continue
		}
		if _, err := m.ValueForProtocol(ma.P_P2P); err == nil {
			continue
		}
		out = append(out, m)
	}
	return out
}

// Package addr checks the addresses of other nodes that a person types, so that a
// mistake is told where it is made and not by a node that silently reaches nobody.
package addr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
)

// example is shown wherever an address is not understood.
const example = "/ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooW…"

// Errors of [Check] that say what is missing.
var (
	errNoPeer    = errors.New("it does not end in /p2p/PEER: copy the whole line that realm up prints on that machine")
	errTransport = errors.New("want a host (/ip4, /ip6, /dns, /dns4, /dns6) and then /udp/PORT/quic-v1 or /tcp/PORT; or /dnsaddr/NAME alone")
)

// Check reports what is wrong with s as the address of a node to dial: its form,
// a transport that nodes do not speak, or a missing peer id.
func Check(s string) error {
	if err := check(s); err != nil {
		return fmt.Errorf("address %.200q: %w; for example %s", s, err, example)
	}
	return nil
}

func check(s string) error {
	if !strings.HasPrefix(s, "/") {
		return errors.New("not a multiaddr, which begins with a slash")
	}
	base, peer, ok := cutPeer(s)
	if !ok {
		return errNoPeer
	}
	if _, err := api.ParsePeerID(peer); err != nil {
		return err
	}
	m, err := multiaddr.NewMultiaddr(base)
	if err != nil {
		return err
	}
	return checkTransport(m)
}

// cutPeer splits off the final /p2p/PEER.
func cutPeer(s string) (base, peer string, ok bool) {
	i := strings.LastIndex(s, "/p2p/")
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+len("/p2p/"):], true
}

// transports are what may follow each kind of host.
var transports = [][]int{
	{multiaddr.P_UDP, multiaddr.P_QUIC_V1},
	{multiaddr.P_TCP},
}

func checkTransport(m multiaddr.Multiaddr) error {
	var codes []int
	for _, c := range m {
		codes = append(codes, c.Protocol().Code)
	}
	switch codes[0] {
	case multiaddr.P_DNSADDR:
		if len(codes) == 1 {
			return nil
		}
		return errTransport
	case multiaddr.P_IP4, multiaddr.P_IP6, multiaddr.P_DNS, multiaddr.P_DNS4, multiaddr.P_DNS6:
	default:
		return errTransport
	}
	if slices.ContainsFunc(transports, func(t []int) bool { return slices.Equal(codes[1:], t) }) {
		return nil
	}
	return errTransport
}

package p2p

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// What guests get together: enough for a rack of machines that is enrolled at once.
const (
	guestFor  = 15 * time.Second // each connection
	maxGuests = 16               // connections

	guestStreams = 8 // that one peer has opened
)

// guestRules say what guests may do, and how often they may come.
type guestRules struct {
	protocols []protocol.ID
	limiter   *rate.Limiter
}

func newGuestRules(protocols []protocol.ID) guestRules {
	return guestRules{protocols, newLimiter(rate.Limit{RPS: 16, Burst: 32}, rate.Limit{RPS: 1, Burst: 6})}
}

func (g guestRules) allow(addr ma.Multiaddr) bool { return g.limiter.Allow(addrIP(addr)) }

// knocker is c.Knock for as many as a person could look at.
func (c Config) knocker() func(peer.ID, ma.Multiaddr, []byte) {
	if c.Knock == nil {
		return func(peer.ID, ma.Multiaddr, []byte) {}
	}
	limiter := newLimiter(rate.Limit{RPS: 8, Burst: 32}, rate.Limit{RPS: 0.2, Burst: 4})
	return func(p peer.ID, addr ma.Multiaddr, proof []byte) {
		if limiter.Allow(addrIP(addr)) {
			c.Knock(p, addr.String(), proof)
		}
	}
}

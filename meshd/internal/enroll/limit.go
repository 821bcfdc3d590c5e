package enroll

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// How many requests a member answers: a rack of machines may be enrolled at once, and
// one joiner needs one. Every request costs some signatures and a write to disk.
const (
	perSecond, burst         = 16, 64
	perSecondEach, burstEach = 0.5, 8
	maxAddresses             = 1024 // that are remembered
)

// limiter limits all requests together, and those of each address, or IPv6 /56, but
// for this machine's own.
type limiter struct {
	all *rate.Limiter

	mu   sync.Mutex
	each map[netip.Prefix]*rate.Limiter
}

func newLimiter() *limiter {
	return &limiter{all: rate.NewLimiter(perSecond, burst), each: map[netip.Prefix]*rate.Limiter{}}
}

func (l *limiter) allow(h host.Host, p api.PeerID, now time.Time) bool {
	for _, from := range origins(h, p) {
		if !from.Addr().IsLoopback() && !l.of(from, now).AllowN(now, 1) {
			return false
		}
	}
	return l.all.AllowN(now, 1)
}

// of is the limiter of one address.
func (l *limiter) of(from netip.Prefix, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.each) >= maxAddresses {
		for k, v := range l.each {
			if v.TokensAt(now) >= burstEach { // as good as new
				delete(l.each, k)
			}
		}
	}
	if l.each[from] == nil {
		if len(l.each) >= maxAddresses {
			clear(l.each) // the limit of all together holds on
		}
		l.each[from] = rate.NewLimiter(perSecondEach, burstEach)
	}
	return l.each[from]
}

// origins are the networks that p is connected from.
func origins(h host.Host, p api.PeerID) (out []netip.Prefix) {
	id, err := p2p.Decode(p)
	if err != nil {
		return nil
	}
	for _, c := range h.Network().ConnsToPeer(id) {
		ip, err := manet.ToIP(c.RemoteMultiaddr())
		if err != nil {
			continue
		}
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			continue
		}
		bits := 56
		if a = a.Unmap(); a.Is4() {
			bits = 32
		}
		if n, err := a.Prefix(bits); err == nil {
			out = append(out, n)
		}
	}
	return out
}

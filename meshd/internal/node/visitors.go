package node

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// clients are command lines that are connected, and until when they may be.
type clients struct {
	mu    sync.Mutex
	until map[api.PeerID]time.Time
}

// let takes note of a client, and reports whether it is news.
func (c *clients) let(p api.PeerID, until time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = map[api.PeerID]time.Time{}
	}
	news := !c.until[p].Equal(until)
	c.until[p] = until
	return news
}

// has reports whether p is a client, and whether it still may be.
func (c *clients) has(p api.PeerID, now time.Time) (known, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, known := c.until[p]
	return known, now.Before(until)
}

func (c *clients) left(p api.PeerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, p)
}

// next is when the time of the next client ends; zero: there is none. Those whose time
// has been over for long are forgotten: they were let in, and never came.
func (c *clients) next(now time.Time) (first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, until := range c.until {
		switch {
		case now.Sub(until) > forgetClient:
			delete(c.until, p)
		case now.Before(until) && (first.IsZero() || until.Before(first)):
			first = until
		}
	}
	return first
}

const forgetClient = time.Minute

// How many nodes that wait to be admitted are remembered, and for how long.
const (
	maxKnocks = 64
	knockFor  = 10 * time.Minute
)

// knocks are nodes that wait for the owner to let them in.
type knocks struct {
	mu   sync.Mutex
	last map[api.PeerID]knock
}

type knock struct {
	addr string
	at   time.Time
}

func (k *knocks) note(p api.PeerID, addr string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = map[api.PeerID]knock{}
	}
	if _, known := k.last[p]; !known && len(k.last) >= maxKnocks {
		var oldest api.PeerID
		for q, l := range k.last {
			if oldest == "" || l.at.Before(k.last[oldest].at) {
				oldest = q
			}
		}
		delete(k.last, oldest)
	}
	k.last[p] = knock{addr, now}
}

// pending lists who knocks, in the order of peer ids.
func (k *knocks) pending(now time.Time) (out []api.Member) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, l := range k.last {
		if now.Sub(l.at) > knockFor {
			delete(k.last, p)
			continue
		}
		out = append(out, api.Member{Peer: p, Standing: api.StandingPending, Since: l.at.UTC(), Addr: l.addr})
	}
	slices.SortFunc(out, func(a, b api.Member) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return out
}

// knocked takes note of a refused peer that names this realm, and shows nothing else.
func (n *Node) knocked(p peer.ID, addr string, proof []byte) {
	id, err := p2p.ID(p)
	if err != nil {
		return
	}
	shown, err := ledger.DecodeProof(proof)
	if err != nil || shown.Realm != n.cfg.Pin.Realm || len(shown.Intents) > 0 {
		return
	}
	pub, err := keys.OfPeer(id)
	if err != nil {
		return
	}
	if _, known := n.ledger().Member(pub, n.cfg.Now()); !known {
		n.knocks.note(id, addr, time.Now())
	}
}

// maxHeard is how many members are counted that are said to be up.
const maxHeard = 1024

// heard are members that are said to be up.
type heard struct {
	mu    sync.Mutex
	peers map[api.PeerID]struct{}
}

func (h *heard) note(p api.PeerID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peers == nil {
		h.peers = map[api.PeerID]struct{}{}
	}
	if len(h.peers) < maxHeard {
		h.peers[p] = struct{}{}
	}
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.peers)
}

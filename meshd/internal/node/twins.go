package node

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// A node whose key is used by another one, too, cannot see that by itself: the two do
// not connect to each other. Members that see both tell each of them, in a header of
// every answer to its sync requests.
const (
	maxTwins = 8               // addresses that are told
	twinsFor = 3 * time.Minute // that what was told counts: a node asks somebody each half a minute
)

// twins are the nodes that share a key, as far as this node knows.
type twins struct {
	mu    sync.Mutex
	seen  map[api.PeerID][]string // addresses, of members with several
	own   []string                // addresses, of those with this node's key
	until time.Time               // of own
}

// conflict takes note of where the key of a member is used, as this node sees it.
func (n *Node) conflict(p peer.ID, addrs []string) {
	id, err := p2p.ID(p)
	if err != nil {
		return
	}
	n.twins.mu.Lock()
	if n.twins.seen == nil {
		n.twins.seen = map[api.PeerID][]string{}
	}
	n.twins.seen[id] = addrs
	if len(addrs) == 0 {
		delete(n.twins.seen, id)
	}
	n.twins.mu.Unlock()
	n.table.Remark(id, func(r *facts.Remarks) { r.Conflict = addrs })
}

// tellTwins tells callers whose key is used by several nodes where those are.
func (n *Node) tellTwins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.twins.mu.Lock()
		addrs := n.twins.seen[api.PeerID(r.Header.Get(local.HeaderPeer))]
		n.twins.mu.Unlock()
		if len(addrs) > 0 {
			w.Header().Set(api.HeaderConflict, strings.Join(addrs[:min(len(addrs), maxTwins)], ","))
		}
		next.ServeHTTP(w, r)
	})
}

// hearTwins reads what members say of this node's own key.
type hearTwins struct {
	http.RoundTripper
	n *Node
}

// RoundTrip implements [http.RoundTripper].
func (h hearTwins) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		h.n.hearOfTwins(parseTwins(resp.Header.Get(api.HeaderConflict)), time.Now())
	}
	return resp, err
}

// parseTwins reads a header from another member. It is nil for what is none.
func parseTwins(header string) (addrs []string) {
	if header == "" {
		return nil
	}
	for a := range strings.SplitSeq(header, ",") {
		m, err := ma.NewMultiaddr(a)
		if err != nil || len(addrs) == maxTwins {
			return nil
		}
		addrs = append(addrs, m.String())
	}
	return addrs
}

func (n *Node) hearOfTwins(addrs []string, now time.Time) {
	if len(addrs) < 2 {
		return
	}
	n.twins.mu.Lock()
	first := n.twins.own == nil
	n.twins.own, n.twins.until = addrs, now.Add(twinsFor)
	n.twins.mu.Unlock()
	if first {
		n.cfg.Log.Warn("another node uses this node's key", "addrs", addrs)
	}
	n.table.Remark(n.self, func(r *facts.Remarks) { r.Conflict = addrs })
}

// ownTwins are the addresses at which this node's key is used, this node's included;
// nil: there is no other.
func (n *Node) ownTwins(now time.Time) []string {
	n.twins.mu.Lock()
	over := n.twins.own != nil && now.After(n.twins.until)
	if over {
		n.twins.own = nil
	}
	own := slices.Clone(n.twins.own)
	n.twins.mu.Unlock()
	if over {
		n.table.Remark(n.self, func(r *facts.Remarks) { r.Conflict = nil })
	}
	return own
}

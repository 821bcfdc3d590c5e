package node

import (
	"context"
	"net/http"

	"github.com/realm-mesh/realm/api"
)

// Providers lists members that may have a blob, the likeliest first.
func (n *Node) Providers(ctx context.Context, blob api.Digest) ([]api.PeerID, error) {
	return n.index.Providers(ctx, blob)
}

// Announce tells others, in a while, that this node has blobs, and whether its store
// has room for more.
func (n *Node) Announce(r *api.AnnounceRequest) {
	n.table.ChangePeer(func(f *api.PeerFact) { f.Full = r.Full })
	n.index.Announce(r.Blobs)
}

// TellHoldings has others be told which volumes this node has, and which those that are away.
func (n *Node) TellHoldings(t *api.TellHoldings) {
	n.table.ChangePeer(func(f *api.PeerFact) { f.Holdings = t.Statements })
}

// counted counts requests that peers make.
func (n *Node) counted(s api.Service, inbound bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.cfg.Observe.Stream(s, inbound)
		next.ServeHTTP(w, r)
	})
}

// countedTrips counts requests that this node makes.
type countedTrips struct {
	http.RoundTripper
	n *Node
	s api.Service
}

// RoundTrip implements [http.RoundTripper].
func (t countedTrips) RoundTrip(r *http.Request) (*http.Response, error) {
	t.n.cfg.Observe.Stream(t.s, false)
	return t.RoundTripper.RoundTrip(r)
}

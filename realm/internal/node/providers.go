package node

import (
	"context"

	"github.com/realm-mesh/realm/api"
)

// Providers asks which members may have a blob, the likeliest first.
func (n *Node) Providers(ctx context.Context, d api.Digest) ([]api.PeerID, error) {
	var r api.ProvidersReply
	err := n.bus.RequestRetry(ctx, api.SubjectProviders, api.ProvidersRequest{Blob: d}, &r)
	return r.Peers, explain(err, "meshd")
}

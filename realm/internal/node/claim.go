package node

import (
	"context"

	"github.com/realm-mesh/realm/api"
)

// Claim has the node take another one, which waits for an owner, into the realm. It
// returns when that one has agreed.
func (n *Node) Claim(ctx context.Context, r api.ClaimNode) error {
	return explain(n.bus.Request(ctx, api.SubjectClaim, r, &api.Empty{}), "meshd")
}

package node

import (
	"context"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Explain asks where a workload should run and does, as this node sees it. What the
// node does not know, or nobody wants any more, is a refusal.
func (n *Node) Explain(ctx context.Context, ref api.Ref) (api.ExplainReply, error) {
	var r api.ExplainReply
	err := n.bus.RequestRetry(ctx, api.SubjectExplain, api.ExplainRequest{Ref: ref}, &r)
	return r, explain(err, "runnerd")
}

// maxAccount caps an encoded account, in bytes: its lines, and as much again.
const maxAccount = 2 * api.MaxAccountLog * api.MaxLogLine

// Account asks a member what it knows of a workload there, with the last lines of its
// log, at most [api.MaxAccountLog]. self tells that it is this node. It waits for an
// answer until ctx ends.
func (n *Node) Account(ctx context.Context, p api.PeerID, self bool, ref api.Ref, lines int) (api.Account, error) {
	path := fmt.Sprintf("%s?tail=%d", api.PathAccount(ref), lines)
	url := local.URL(api.Meshd, api.PathPeer(p, api.ServiceNode, path))
	if self {
		url = local.URL(api.Runnerd, path)
	}
	var out api.Account
	err := n.fact(ctx, url, maxAccount, &out)
	return out, wrap("ask about "+ref.String(), err)
}

// fact gets what a daemon or a member says, which may be of a newer version.
func (n *Node) fact(ctx context.Context, url string, limit int, out api.Validator) error {
	b, err := n.read(ctx, url, limit)
	if err != nil {
		return err
	}
	return api.DecodeFact(b, limit, out)
}

// read gets the body of an answer.
func (n *Node) read(ctx context.Context, url string, limit int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return nil, err
	}
	return api.ReadAll(resp.Body, int64(limit))
}

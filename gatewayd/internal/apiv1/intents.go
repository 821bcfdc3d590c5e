package apiv1

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

func manifests(ctx context.Context, n *Node, a args) (any, error) {
	return n.intents(ctx, string(api.KindManifest)+".>", a)
}

func intents(ctx context.Context, n *Node, a args) (any, error) {
	pattern := ">"
	if k := api.Kind(a["kind"]); k != "" {
		if err := k.Validate(); err != nil {
			return nil, bad(err)
		}
		pattern = string(k) + ".>"
	}
	return n.intents(ctx, pattern, a)
}

// intents lists what is in the bucket. Signatures of the page alone are checked.
func (n *Node) intents(ctx context.Context, pattern string, a args) (any, error) {
	all, err := n.entries(ctx, api.BucketIntents, pattern)
	if err != nil {
		return nil, err
	}
	part, next := page(all, a, func(e bus.Entry) string { return e.Key })
	out := api.IntentsReport{Intents: []api.IntentReport{}, Next: next}
	for _, e := range part {
		s, err := intent.Read(e.Value) //nolint:contextcheck // reading waits for nothing
		if err != nil || api.KeySlot(s.Ref, s.By()) != e.Key {
			continue // another version's, or nobody's
		}
		out.Intents = append(out.Intents, reportIntent(&s.Intent, s.Digest, s.By()))
	}
	return out, nil
}

func reportIntent(in *api.Intent, digest api.Digest, by api.Name) api.IntentReport {
	r := api.IntentReport{
		Ref: in.Ref, Signer: by, Digest: digest, Seq: in.Seq, Prev: in.Prev, Issued: in.Issued, Expires: in.Expires,
		Target: in.Target, Tombstone: in.Tombstone,
	}
	switch in.Kind {
	case api.KindManifest, api.KindNode, api.KindPin:
		r.Body = in.Body
	}
	return r
}

// history answers with what was signed about a thing of a kind.
func history(kind api.Kind) server {
	return func(ctx context.Context, n *Node, a args) (any, error) {
		name, err := api.ParseName(a["name"])
		if err != nil {
			return nil, bad(err)
		}
		return n.history(ctx, api.Ref{Kind: kind, Name: name})
	}
}

func intentHistory(ctx context.Context, n *Node, a args) (any, error) {
	r := api.Ref{Kind: api.Kind(a["kind"]), Name: api.Name(a["name"])}
	if err := r.Validate(); err != nil {
		return nil, bad(err)
	}
	return n.history(ctx, r)
}

func (n *Node) history(ctx context.Context, r api.Ref) (any, error) {
	var h api.HistoryReply
	if err := n.Bus.Request(ctx, api.SubjectHistory, api.HistoryRequest{Ref: r}, &h); err != nil {
		return nil, fmt.Errorf("ask meshd: %w: see realm ps", err)
	}
	if len(h.Versions) == 0 {
		return nil, unknown("nothing was signed about a %s %s: GET %s/intents?kind=%s lists what was", r.Kind, r.Name, api.PathAPI, r.Kind)
	}
	out := api.HistoryReport{Ref: r, Versions: []api.IntentReport{}}
	for i := range h.Versions {
		v := &h.Versions[i]
		x := reportIntent(&v.Intent, v.Digest, v.Signer)
		x.State, x.By = v.State, v.By
		out.Versions = append(out.Versions, x)
	}
	return out, nil
}

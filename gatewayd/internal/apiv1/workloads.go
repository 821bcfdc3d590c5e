package apiv1

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
)

type server = func(context.Context, *Node, args) (any, error)

// workloads lists those of a kind.
func workloads(kind api.Kind) server {
	return func(_ context.Context, n *Node, a args) (any, error) {
		t, err := n.table()
		if err != nil {
			return nil, err
		}
		var all []api.Ref
		for _, r := range t.Refs() {
			if r.Kind == kind {
				all = append(all, r)
			}
		}
		part, next := page(all, a, func(r api.Ref) string { return string(r.Name) })
		out := api.WorkloadsReport{Workloads: []api.WorkloadReport{}, Next: api.Name(next)}
		for _, r := range part {
			out.Workloads = append(out.Workloads, report(t, r))
		}
		return out, nil
	}
}

func workload(kind api.Kind) server {
	return func(_ context.Context, n *Node, a args) (any, error) {
		name, err := api.ParseName(a["name"])
		if err != nil {
			return nil, bad(err)
		}
		t, err := n.table()
		if err != nil {
			return nil, err
		}
		r := api.Ref{Kind: kind, Name: name}
		if len(t.Replicas(r)) == 0 {
			return nil, unknown("no member has a %s %s: GET %s/%ss lists those that there are", kind, name, api.PathAPI, kind)
		}
		return report(t, r), nil
	}
}

// table is what the gateway knows of workloads, once that is all.
func (n *Node) table() (*route.Table, error) {
	t, _ := n.Live.Now()
	if !t.Complete() {
		return nil, fmt.Errorf("the gateway does not know yet what runs: %w", context.DeadlineExceeded)
	}
	return t, nil
}

func report(t *route.Table, r api.Ref) api.WorkloadReport {
	out := api.WorkloadReport{Ref: r, Answers: []api.PeerID{}, Replicas: []api.ReplicaReport{}}
	if t.Here(r) {
		out.Answers = append(out.Answers, t.Self())
	}
	for _, m := range t.Elsewhere(r) {
		out.Answers = append(out.Answers, m.Peer)
	}
	for _, p := range t.Replicas(r) {
		out.Replicas = append(out.Replicas, api.ReplicaReport{Peer: p.Peer, State: p.State, Reason: p.Reason, Answers: p.Answers})
	}
	return out
}

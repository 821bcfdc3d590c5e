package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// workloadView is how a component or function stands, in JSON.
type workloadView struct {
	api.Ref
	Version   uint64        `json:"version"` // sequence number of its newest intent
	Digest    api.Digest    `json:"digest"`  // of that intent
	Issued    time.Time     `json:"issued"`
	Blob      api.Digest    `json:"blob"`
	Size      int64         `json:"size"`
	Limits    api.Limits    `json:"limits"`
	Interface api.Interface `json:"interface,omitempty"`
	Target    api.Target    `json:"target"`
	Started   bool          `json:"started"`
	Desired   int           `json:"desired"` // connected members that are to run it
	Running   int           `json:"running"` // those of them that run this version, or have ended well
	Members   []memberView  `json:"members"`
}

// memberView is how a workload stands on one member, in JSON.
type memberView struct {
	Peer     api.PeerID `json:"peer"`
	Host     string     `json:"host,omitempty"`
	State    string     `json:"state"`             // an api.State, or "unknown" while the member has said nothing
	Version  uint64     `json:"version,omitempty"` // that the state is about
	Reason   string     `json:"reason,omitempty"`
	Tail     []string   `json:"tail,omitempty"`
	Restarts int        `json:"restarts,omitempty"`
	Since    time.Time  `json:"since,omitzero"`
	Serving  uint64     `json:"serving,omitempty"` // the older version that goes on there meanwhile
}

// stateUnknown stands for a member that has said nothing of a workload.
const stateUnknown = "unknown"

// memberViews are the members of a rollout in JSON.
func memberViews(all []rollout.Progress) []memberView {
	out := []memberView{}
	for _, p := range all {
		out = append(out, memberView{Peer: p.Peer, Host: p.Host, State: orElse(string(p.State), stateUnknown), Reason: p.Reason, Tail: p.Tail, Serving: p.Serving})
	}
	return out
}

// workloads are all that the owner of the node wants kept, by kind and name.
func workloads(ctx context.Context, n *node.Node) ([]workloadView, error) {
	pin, err := trust.ReadPin(n.Home.Pin())
	if errors.Is(err, trust.ErrUnclaimed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := n.Look(ctx, node.Scope{Intents: &pin})
	if err != nil {
		return nil, err
	}
	return viewWorkloads(s), nil
}

func viewWorkloads(s node.Snapshot) []workloadView {
	out := []workloadView{}
	for ref, in := range s.Intents {
		if in.Tombstone {
			continue
		}
		// What does not decode is of a newer version.
		if w, err := in.Workload(); err == nil {
			out = append(out, viewWorkload(in, w, s.PeerList(), s.Facts[ref]))
		}
	}
	slices.SortFunc(out, func(a, b workloadView) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func viewWorkload(in intent.Signed, w api.Workload, peers []api.PeerRecord, facts map[api.PeerID]api.WorkloadFact) workloadView {
	p := w.Program()
	v := workloadView{Ref: in.Ref, Version: in.Seq, Digest: in.Digest, Issued: in.Issued, Blob: p.Blob, Size: p.Size,
		Limits: p.Limits, Target: in.Target, Started: w.Started(), Members: []memberView{}}
	if c, ok := w.(*api.Component); ok {
		v.Interface = c.Interface
	}
	slices.SortFunc(peers, rollout.ComparePeers)
	for _, peer := range peers {
		f, has := facts[peer.Peer]
		meant := (peer.Live || peer.Self) && !peer.Client && in.Target.Matches(peer.Peer, peer.Roles)
		if !meant && !has {
			continue
		}
		if meant && v.Started {
			v.Desired++
			if has && f.Intent == in.Digest && f.State.Reached() {
				v.Running++
			}
		}
		v.Members = append(v.Members, viewMember(peer, f, has))
	}
	return v
}

// without leaves out what is known of nodes that were revoked: they have no say in
// how a program stands.
func (v *workloadView) without(revoked []api.Member) {
	v.Members = slices.DeleteFunc(v.Members, func(m memberView) bool {
		return slices.ContainsFunc(revoked, func(r api.Member) bool { return r.Peer == m.Peer })
	})
}

func viewMember(p api.PeerRecord, f api.WorkloadFact, has bool) memberView {
	if !has {
		return memberView{Peer: p.Peer, Host: p.Host, State: stateUnknown}
	}
	return memberView{p.Peer, p.Host, string(f.State), f.Seq, f.Reason, f.Tail, f.Restarts, f.Since, f.Serving}
}

package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
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
	Source    string        `json:"source,omitempty"` // of a component: "push", or "manifest NAME"
	Blob      api.Digest    `json:"blob"`
	Size      int64         `json:"size"`
	Limits    api.Limits    `json:"limits"`
	Interface api.Interface `json:"interface,omitempty"`
	Target    api.Target    `json:"target"`
	Started   bool          `json:"started"`
	Replicas  int           `json:"replicas"`          // asked for; 0: every member that its target names
	Desired   int           `json:"desired"`           // replicas, or connected members that its target names and that are not drained; 0 where it is stopped
	Running   int           `json:"running"`           // connected members that run or answer, in any version, or have ended well
	Updated   int           `json:"updated"`           // those of them that do in this version
	Drift     int           `json:"drift"`             // replicas that are missing in this version, or too many
	Pending   string        `json:"pending,omitempty"` // why fewer members can run it than are desired
	Members   []memberView  `json:"members"`

	here    map[api.PeerID]place
	right   int // members that should run it, and do in the version that counts
	surplus int // members that should not, and do
}

// place is what a member has to do with a workload.
type place struct {
	should, runs, updated bool
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
	s, err := lookAtAll(ctx, n)
	return viewWorkloads(s), err
}

// lookAtAll is all that the node knows: members, what is wanted, and how that stands.
func lookAtAll(ctx context.Context, n *node.Node) (node.Snapshot, error) {
	pin, err := trust.ReadPin(n.Home.Pin())
	if errors.Is(err, trust.ErrUnclaimed) { // nobody's wishes are known
		return n.Look(ctx, node.Scope{})
	}
	if err != nil {
		return node.Snapshot{}, err
	}
	return n.Look(ctx, node.Scope{Intents: &pin})
}

func viewWorkloads(s node.Snapshot) []workloadView {
	up := upNow(s)
	wanted := map[api.Ref]rollout.Wanted{}
	var all []placement.Workload
	for ref, in := range s.Intents {
		// What does not decode is of a newer version.
		if w, err := rollout.WantedOf(in); err == nil && w.Goal != rollout.Remove {
			w = w.On(s.Holders)
			wanted[ref] = w
			all = append(all, w.Work)
		}
	}
	var placed []placement.Member
	for _, m := range up {
		placed = append(placed, m.Placed())
	}
	ranks := placement.PlaceAll(all, placed)
	out := []workloadView{}
	for ref, w := range wanted {
		out = append(out, viewWorkload(s.Intents[ref], w, ranks[ref], up, s))
	}
	slices.SortFunc(out, func(a, b workloadView) int { return compareRefs(a.Ref, b.Ref) })
	return out
}

func viewWorkload(in intent.Signed, w rollout.Wanted, rank placement.Ranking, up []rollout.Member, s node.Snapshot) workloadView {
	a := rollout.Assess(w, up, s.Facts[in.Ref], true)
	v := workloadView{Ref: in.Ref, Version: in.Seq, Digest: in.Digest, Issued: in.Issued, Target: in.Target, Started: w.Goal == rollout.Run,
		Replicas: w.Work.Replicas, Running: a.Running, Updated: a.Updated, Members: []memberView{}, here: map[api.PeerID]place{}}
	v.body(in)
	if v.Started {
		v.Desired, v.Pending = a.Asked, a.Pending
	}
	chosen := rollout.Chosen(w, rank, s.Facts[in.Ref])
	peers := s.PeerList()
	slices.SortFunc(peers, rollout.ComparePeers)
	for _, peer := range peers {
		f, has := rollout.Facts(s.Facts[in.Ref]).Of(peer)
		if has && rollout.Up(peer) {
			v.here[peer.Peer] = place{v.Started && chosen[peer.Peer], rollout.Runs(f), f.Intent == in.Digest && f.State.Reached()}
		} else {
			v.here[peer.Peer] = place{should: v.Started && chosen[peer.Peer]}
		}
		v.count(v.here[peer.Peer])
		if f.State == api.StateRemoved && !chosen[peer.Peer] {
			continue // nothing of it is there, nor should be
		}
		if has || chosen[peer.Peer] {
			v.Members = append(v.Members, viewMember(peer, f, has))
		}
	}
	v.Drift = max(v.Desired-v.right, v.surplus)
	return v
}

// count counts what a member has to do with v.
func (v *workloadView) count(p place) {
	switch {
	case p.should && p.updated:
		v.right++
	case !p.should && p.runs:
		v.surplus++
	}
}

// body takes down what the version says of the program.
func (v *workloadView) body(in intent.Signed) {
	w, err := in.Workload()
	if err != nil {
		return
	}
	p := w.Program()
	v.Blob, v.Size, v.Limits = p.Blob, p.Size, p.Limits
	if c, ok := w.(*api.Component); ok {
		v.Interface, v.Source = c.Interface, c.Source.String()
	}
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

package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/facts"
)

// standing is what this node is in its realm, as far as it knows.
func (n *Node) standing() api.Standing {
	if n.cfg.Fact.Client {
		return api.StandingClient
	}
	m, ok := n.ledger().Member(n.key, n.cfg.Now())
	switch {
	case ok && m.Standing == api.StandingMember && n.refused():
		return api.StandingRevoked
	case ok:
		return m.Standing
	case len(n.cfg.Proof.Intents) > 0:
		return api.StandingRevoked // with its invite, or with who let it in
	}
	return api.StandingPending
}

// refused reports whether members close every connection of this node: it has been
// revoked while it was away, and nobody tells it more.
func (n *Node) refused() bool { return n.Neighbours() == 0 && n.finder.Refused() }

// Status is how this node stands, for [api.SubjectMesh].
func (n *Node) Status() api.MeshStatus {
	s := n.standing()
	return api.MeshStatus{
		Peer: n.self, Realm: n.cfg.Pin.Realm, Owner: n.ledger().Owner().String(), Addrs: n.Addrs(), Peers: n.Neighbours(),
		Standing: s, Note: n.note(s), Warnings: n.warnings(), Synced: n.synced(s),
	}
}

// note says in words why the node is no member, or is alone, and what to do.
func (n *Node) note(s api.Standing) string {
	var parts []string
	switch s {
	case api.StandingPending:
		parts = append(parts, fmt.Sprintf("it waits for the owner to let it in: realm peers admit %s", n.self))
	case api.StandingRevoked:
		parts = append(parts, fmt.Sprintf("the owner has revoked its membership; it is back when they let it in again (realm peers admit %s), or give it up with realm reset", n.self))
		if m, ok := n.ledger().Member(n.key, n.cfg.Now()); ok && m.Standing == api.StandingMember {
			parts[0] = "members do not let this node in; most likely " + parts[0]
		}
	case api.StandingMember, api.StandingClient:
		if n.alone() {
			return ""
		}
	}
	if n.Neighbours() == 0 {
		parts = append(parts, "connected to no member: "+n.finder.Tried())
	}
	return strings.Join(parts, "; ")
}

// alone reports whether this is the only member that is known of.
func (n *Node) alone() bool {
	for _, m := range n.ledger().Members(n.cfg.Now()) {
		if m.Standing == api.StandingMember && m.Peer != n.self {
			return false
		}
	}
	return !n.cfg.Fact.Client && len(n.cfg.Bootstrap) == 0
}

// synced reports whether what the realm holds is here.
func (n *Node) synced(s api.Standing) bool {
	return n.asked.Load() && !n.sync.Holding() || s == api.StandingMember && n.alone()
}

// maxWarned is how many intents a warning names.
const maxWarned = 3

// warnings are what people should know about this node.
func (n *Node) warnings() (out []string) {
	if addrs := n.ownTwins(time.Now()); addrs != nil {
		out = append(out, fmt.Sprintf("the key of this node is used by several nodes, at %s: one of them runs on a copy of the other's home; stop it and remove that copy, or this node's realm reset --purge",
			strings.Join(addrs, " and ")))
	}
	if ahead, of := n.table.Ahead(); ahead.Abs() > facts.MuchSkew {
		way := "ahead of"
		if ahead < 0 {
			way = "behind"
		}
		out = append(out, fmt.Sprintf("the clock of this node is %s %s that of other members (the median of %d): set it",
			ahead.Abs().Round(time.Second), way, of))
	}
	if early := n.ledger().Early(n.cfg.Now()); len(early) > 0 {
		var names []string
		for _, s := range early[:min(len(early), maxWarned)] {
			names = append(names, fmt.Sprintf("%s number %d of %s", s.Ref, s.Seq, s.Issued.Format(time.RFC3339)))
		}
		out = append(out, fmt.Sprintf("%d intents in quarantine, since they were signed in the future: %s; they count when their time has come: check the clock of who signed them, and of this node",
			len(early), strings.Join(names, ", ")))
	}
	return out
}

package node

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// maxReply is how many bytes of rows go into one answer: what is around them fits into
// the rest of [api.MaxMessage].
const maxReply = api.MaxMessage * 3 / 4

// Members answers [api.SubjectMembers].
func (n *Node) Members(after api.PeerID) api.MembersReply {
	now := n.cfg.Now()
	all := n.ledger().Members(now)
	for _, p := range n.knocks.pending(time.Now()) {
		if !slices.ContainsFunc(all, func(m api.Member) bool { return m.Peer == p.Peer }) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b api.Member) int { return cmp.Compare(a.Peer, b.Peer) })
	all = slices.DeleteFunc(all, func(m api.Member) bool { return after != "" && m.Peer <= after })
	room := maxReply
	var reply api.MembersReply
	if after == "" {
		reply.Grants = fit(n.ledger().Grants(), maxReply/4, api.MaxMembers)
		reply.Invites = fit(n.ledger().Invites(now), maxReply/4, api.MaxMembers)
		room -= maxReply / 2
	}
	reply.Members = fit(all, room, api.MaxMembers)
	reply.More = len(reply.Members) < len(all)
	return reply
}

// fit is as many of rows, from the first on, as have room.
func fit[T any](rows []T, room, most int) []T {
	for i, r := range rows {
		raw, err := json.Marshal(r)
		if err == nil {
			room -= len(raw) + 1
		}
		if err != nil || room < 0 || i == most {
			return rows[:i]
		}
	}
	return rows
}

// History answers [api.SubjectHistory]. What does not fit into an answer are the
// oldest versions.
func (n *Node) History(ref api.Ref) api.HistoryReply {
	comments := map[api.Name]string{}
	for _, g := range n.ledger().Grants() {
		comments[g.Key] = cmp.Or(g.Comment, "a granted key")
	}
	out := []api.Version{}
	for _, v := range n.ledger().History(ref, n.cfg.Now()) {
		by := comments[v.By()]
		if v.Owner {
			by = "owner"
		}
		out = append(out, api.Version{Intent: v.Intent, Digest: v.Digest, Signer: v.By(), By: by, State: v.State})
	}
	return api.HistoryReply{Versions: fit(out, maxReply, len(out))}
}

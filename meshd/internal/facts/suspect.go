package facts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// suspicion is what stands against a member that is no neighbour of this node. The zero
// suspicion is none.
type suspicion struct {
	since time.Time
	epoch int64 // newer batches of the member refute it
	seq   uint64
}

// stands reports whether the member had its time to refute s.
func (s suspicion) stands(now time.Time) bool {
	return !s.since.IsZero() && now.Sub(s.since) >= Refute
}

// newer orders batches of one member.
func newer(epoch int64, seq uint64, than suspicion) bool {
	return cmp.Or(cmp.Compare(epoch, than.epoch), cmp.Compare(seq, than.seq)) > 0
}

// hear takes what a member says of neighbours that it has lost. This node knows better
// of its own neighbours, and of itself.
func (t *Table) hear(said []api.Suspicion, now time.Time) {
	for _, s := range said {
		if s.Peer == t.self {
			t.pending.peer = true // any batch refutes it; this is the smallest
			notify(t.due)
			continue
		}
		heard := suspicion{since: now, epoch: s.Epoch, seq: s.Seq}
		m := t.others[s.Peer]
		if m == nil || m.connected || newer(m.order.epoch, m.order.seen.top, heard) {
			continue
		}
		if m.suspicion.since.IsZero() || newer(heard.epoch, heard.seq, m.suspicion) {
			m.suspicion = heard // who knew more has seen the member alive later
		}
	}
}

// suspectAll is for a node that has lost its last neighbour: nobody is left to pass on
// what members say, or who lost them.
func (t *Table) suspectAll(now time.Time) {
	for _, m := range t.others {
		if m.live && m.suspicion.since.IsZero() {
			m.suspicion = suspicion{since: now, epoch: m.order.epoch, seq: m.order.seen.top}
		}
	}
}

// refute takes note that b of m was heard.
func (m *member) refute(b *api.FactBatch) {
	if newer(b.Epoch, b.Seq, m.suspicion) {
		m.suspicion = suspicion{}
	}
}

// suspects are the neighbours that this node has lost since it was asked last, as far as
// they are not back and no other has said the same, at most [api.MaxSuspects].
func (t *Table) suspects(lost map[api.PeerID]struct{}) []api.Suspicion {
	var out []api.Suspicion
	for p := range lost {
		m := t.others[p]
		if m == nil || m.connected {
			continue
		}
		own := suspicion{epoch: m.order.epoch, seq: m.order.seen.top}
		if m.suspicion.since.IsZero() || newer(own.epoch, own.seq, m.suspicion) {
			out = append(out, api.Suspicion{Peer: p, Epoch: own.epoch, Seq: own.seq})
		}
	}
	slices.SortFunc(out, func(a, b api.Suspicion) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return out[:min(len(out), api.MaxSuspects)]
}

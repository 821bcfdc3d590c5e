package route

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Replica is how one member stands with a workload.
type Replica struct {
	Peer    api.PeerID
	State   api.State
	Reason  string // in words, from that member
	Answers bool   // requests, by this version or the one before
}

// Table is what was known at one moment. It never changes; the zero Table knows
// nothing.
type Table struct {
	self  api.PeerID
	known bool                         // all that the bus holds has been seen
	refs  map[api.Ref][]Replica        // by peer
	rtts  map[api.PeerID]time.Duration // connected members other than self; unknown is math.MaxInt64
	left  map[api.Ref]time.Time        // when the last fact about it went, lately

	services map[api.Name]api.Ref // of refs

	members []api.PeerStatus // all, by id
}

const unknownRTT = time.Duration(math.MaxInt64)

// Complete reports whether the table began from all that the bus holds: only then
// does a workload that is not in it not exist.
func (t *Table) Complete() bool { return t.known }

// Self is this node.
func (t *Table) Self() api.PeerID { return t.self }

// Peers is how many other members are connected.
func (t *Table) Peers() int { return len(t.rtts) }

// Members is how all members stand that are known, this node among them, by id. The
// caller must not change it.
func (t *Table) Members() []api.PeerStatus { return t.members }

// Refs lists all workloads, by kind and name.
func (t *Table) Refs() []api.Ref {
	return slices.SortedFunc(maps.Keys(t.refs), func(a, b api.Ref) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// Replicas is how the members stand with r, by peer; none when r is unknown. The
// caller must not change it.
func (t *Table) Replicas(r api.Ref) []Replica { return t.refs[r] }

// Lately is how long a workload of which no fact is left may still come back: the
// members that run it may be cut off for a moment, or meshd may start again.
const Lately = 10 * time.Second

// LeftLately reports whether r was there until less than [Lately] before now, and
// nobody has removed it.
func (t *Table) LeftLately(r api.Ref, now time.Time) bool {
	at, ok := t.left[r]
	return ok && now.Sub(at) < Lately
}

// Here reports whether r answers on this node.
func (t *Table) Here(r api.Ref) bool {
	return slices.ContainsFunc(t.refs[r], func(p Replica) bool { return p.Peer == t.self && p.Answers })
}

// Member is another member on which a workload answers.
type Member struct {
	Peer api.PeerID
	RTT  time.Duration // to it and back; math.MaxInt64: unknown
}

// Elsewhere lists the connected members on which r answers, the nearest first.
func (t *Table) Elsewhere(r api.Ref) (found []Member) {
	for _, p := range t.refs[r] {
		if rtt, ok := t.rtts[p.Peer]; ok && p.Answers {
			found = append(found, Member{p.Peer, rtt})
		}
	}
	slices.SortStableFunc(found, func(a, b Member) int { return cmp.Compare(a.RTT, b.RTT) })
	return found
}

// Hopeful reports whether r may come to answer without anybody doing anything: on
// some member it does already, or is on its way.
func (t *Table) Hopeful(r api.Ref) bool {
	return slices.ContainsFunc(t.refs[r], func(p Replica) bool {
		switch p.State {
		case api.StateExited, api.StateFailed, api.StateStopped:
			return p.Answers
		default:
			return true
		}
	})
}

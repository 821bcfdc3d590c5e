package rollout

import (
	"cmp"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// QuietAfter is how long after a version was accepted a member that says nothing
// of it counts as quiet for [Judge].
const QuietAfter = 5 * time.Second

// LostGrace is how long a member that has lost its connection is waited for: a
// mesh daemon that is started again loses all of them for a moment.
const LostGrace = 5 * time.Second

// Member is one that may have to do with a version.
type Member struct {
	api.PeerRecord
	Drained bool // by the owner
	Gone    bool // not connected now, but it was less than LostGrace ago
}

// Placed is what placement knows of m.
func (m Member) Placed() placement.Member {
	return placement.Member{Peer: m.Peer, Roles: m.Roles, Capacity: m.Capacity, Drained: m.Drained, RunnerDown: m.IsDown(api.Runnerd)}
}

// Roster knows which members there are. It is not safe for use by several
// goroutines. The zero Roster has seen nobody.
type Roster struct {
	seen map[api.PeerID]sighting
}

type sighting struct {
	record api.PeerRecord
	lost   time.Time // when it was first found without connection; zero while it has one
}

// Update takes what is known of all members at now, and returns those that are
// connected, to this node or to others, or were until a moment ago; this node first,
// then by name. next is when the answer may change by the passing of time alone; zero
// for never. Clients run nothing: they are left out, and so are revoked members, which
// lose their connections at once.
func (r *Roster) Update(peers []api.PeerRecord, now time.Time) (members []Member, next time.Time) {
	r.look(peers, now)
	for id, s := range r.seen {
		if !s.lost.IsZero() {
			until := s.lost.Add(LostGrace)
			if !now.Before(until) {
				delete(r.seen, id)
				continue
			}
			if next.IsZero() || until.Before(next) {
				next = until
			}
		}
		members = append(members, Member{PeerRecord: s.record, Gone: !s.lost.IsZero()})
	}
	slices.SortFunc(members, func(a, b Member) int { return ComparePeers(a.PeerRecord, b.PeerRecord) })
	return members, next
}

// look takes down who is connected now, and who no longer is.
func (r *Roster) look(peers []api.PeerRecord, now time.Time) {
	here := map[api.PeerID]sighting{}
	for _, p := range peers {
		if Up(p) {
			here[p.Peer] = sighting{record: p}
		}
	}
	for id, s := range r.seen {
		if _, ok := here[id]; ok {
			continue
		}
		if s.lost.IsZero() {
			s.lost = now
		}
		here[id] = s
	}
	r.seen = here
}

// Up reports whether p is a member that can be given something to run.
func Up(p api.PeerRecord) bool { return (p.Live || p.Self) && !p.Client }

// ComparePeers orders this node before the others, those by host, then by id.
func ComparePeers(a, b api.PeerRecord) int {
	if a.Self != b.Self {
		if a.Self {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Peer, b.Peer))
}

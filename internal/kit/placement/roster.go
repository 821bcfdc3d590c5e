package placement

import (
	"slices"

	"github.com/realm-mesh/realm/api"
)

// Roster is members, prepared so that many things can be ranked by them: what [Place]
// does for workloads, for callers that know themselves which members fit.
type Roster struct{ of *roster }

// NewRoster prepares members, each of which must be there once.
func NewRoster(members []Member) *Roster { return &Roster{newRoster(members)} }

// Len is how many members there are.
func (r *Roster) Len() int { return len(r.of.members) }

// Member is the ith member by peer id.
func (r *Roster) Member(i int) *Member { return &r.of.members[i] }

// Rank returns those members that fit the thing with that key, the first to have it
// first. key is to be unique among all kinds of things.
func (r *Roster) Rank(key string, fits func(i int) bool) []api.PeerID {
	seats := make([]seat, 0, len(r.of.members))
	h := hash(key)
	for i := range r.of.members {
		if fits(i) {
			seats = append(seats, seat{i, r.of.cost(h, i)})
		}
	}
	slices.SortFunc(seats, seat.compare)
	out := make([]api.PeerID, 0, len(seats))
	for _, s := range seats {
		out = append(out, r.of.members[s.member].Peer)
	}
	return out
}

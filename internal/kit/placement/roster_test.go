package placement_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// TestRoster: it ranks as Place does, those that fit.
func TestRoster(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 12))
	members := randomMembers(r, 20, false)
	roster := placement.NewRoster(members)
	for _, w := range workloads(r, 50, 1) {
		got := roster.Rank(w.String(), func(i int) bool { return i%3 > 0 })
		want := placement.Place(w, members).In
		want = slices.DeleteFunc(want, func(p api.PeerID) bool {
			for i := range roster.Len() {
				if roster.Member(i).Peer == p {
					return i%3 == 0
				}
			}
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

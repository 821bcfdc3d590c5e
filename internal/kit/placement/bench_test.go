package placement_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("%d members", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			w, members := workloads(r, 1, 3)[0], randomMembers(r, n, false)
			b.ReportAllocs()
			for b.Loop() {
				placement.Place(w, members)
			}
		})
	}
}

// BenchmarkPlaceAll is what a change of members or workloads costs.
func BenchmarkPlaceAll(b *testing.B) {
	for _, c := range []struct{ workloads, members int }{{200, 5}, {1000, 10}, {10_000, 10}, {1000, 100}, {1000, 1000}} {
		b.Run(fmt.Sprintf("%d workloads, %d members", c.workloads, c.members), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			ws, members := workloads(r, c.workloads, 1), randomMembers(r, c.members, true)
			b.ReportAllocs()
			for b.Loop() {
				placement.PlaceAll(ws, members)
			}
		})
	}
}

// BenchmarkDecide is what a change of one fact costs.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("%d members", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 3))
			w, members := workloads(r, 1, 3)[0], randomMembers(r, n, false)
			rank := placement.Place(w, members)
			told := map[api.PeerID]placement.Replica{}
			for i, p := range rank.In[:4] {
				told[p] = placement.Replica{Phase: placement.PhasePrepared + placement.Phase(i), Good: true}
			}
			b.ReportAllocs()
			for b.Loop() {
				placement.Decide(rank.In[2], w, rank, told, placement.Rollout{Most: 1})
			}
		})
	}
}

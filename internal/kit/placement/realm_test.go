package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func randomPeer(r *rand.Rand) api.PeerID {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	b := []byte("12D3KooW")
	for len(b) < 52 {
		b = append(b, digits[r.IntN(len(digits))])
	}
	return api.PeerID(b)
}

// randomMembers are equal, or have 1 to 16 processors each.
func randomMembers(r *rand.Rand, n int, equal bool) (out []placement.Member) {
	for range n {
		m := placement.Member{Peer: randomPeer(r)}
		if !equal {
			m.Capacity.CPUs = 1 << r.IntN(5)
		}
		out = append(out, m)
	}
	return out
}

// workloads have names as people choose them.
func workloads(r *rand.Rand, n, replicas int) (out []placement.Workload) {
	stem := []string{"web", "api", "worker-eu", "a", "the-longer-name-of-some-service"}[r.IntN(5)]
	first := r.IntN(1000)
	for i := range n {
		ref := api.Ref{Kind: api.KindComponent, Name: api.Name(fmt.Sprintf("%s-%d", stem, first+i))}
		out = append(out, placement.Workload{Ref: ref, Replicas: replicas})
	}
	return out
}

// runs are the members that run each workload.
type runs map[api.Ref][]api.PeerID

func placeAll(ws []placement.Workload, members []placement.Member) runs {
	out := runs{}
	all := placement.PlaceAll(ws, members)
	for _, w := range ws {
		out[w.Ref] = first(w, all[w.Ref])
	}
	return out
}

func placeEach(ws []placement.Workload, members []placement.Member) runs {
	out := runs{}
	for _, w := range ws {
		out[w.Ref] = first(w, placement.Place(w, members))
	}
	return out
}

func first(w placement.Workload, r placement.Ranking) []api.PeerID {
	if w.Replicas == 0 {
		return r.In
	}
	return r.In[:min(w.Replicas, len(r.In))]
}

// moved is how many replicas run where they did not before, of workloads in both.
func moved(before, after runs) (n int) {
	for ref, now := range after {
		was, ok := before[ref]
		for _, p := range now {
			if ok && !slices.Contains(was, p) {
				n++
			}
		}
	}
	return n
}

// load is how many replicas each member runs.
func (r runs) load() map[api.PeerID]int {
	out := map[api.PeerID]int{}
	for _, l := range r {
		for _, p := range l {
			out[p]++
		}
	}
	return out
}

func without(members []placement.Member, i int) []placement.Member {
	return slices.Delete(slices.Clone(members), i, i+1)
}

func shuffled[T any](r *rand.Rand, l []T) []T {
	l = slices.Clone(l)
	r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	return l
}

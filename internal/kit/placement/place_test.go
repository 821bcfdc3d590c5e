package placement_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func TestPlaceFilters(t *testing.T) {
	const a, b, c, d, e = 0, 1, 2, 3, 4
	const down = "its runnerd is down"
	members := []placement.Member{
		{Peer: peers[a], Roles: []string{"edge"}, Capacity: api.Capacity{MemoryMB: 512}},
		{Peer: peers[b], Roles: []string{"gpu", "edge"}, Capacity: api.Capacity{MemoryMB: 2048}},
		{Peer: peers[c]},
		{Peer: peers[d], Roles: []string{"edge"}, Drained: true},
		{Peer: peers[e], Roles: []string{"edge"}, Drained: true, RunnerDown: true, Capacity: api.Capacity{MemoryMB: 1024}},
	}
	for _, tt := range []struct {
		name   string
		target api.Target
		memory int
		in     []int
		out    map[int]string
	}{
		{"everybody", api.Target{}, 0, []int{a, b, c}, map[int]string{d: "it is drained", e: down}},
		{"a tag", api.Target{Tags: []string{"edge"}}, 0, []int{a, b}, map[int]string{c: "it has no tag edge", d: "it is drained", e: down}},
		{"either tag", api.Target{Tags: []string{"gpu", "web"}}, 0, []int{b}, map[int]string{a: "it has no tag gpu or web", c: "it has no tag gpu or web", d: "it has no tag gpu or web", e: "it has no tag gpu or web"}},
		{"peers", api.Target{Peers: []api.PeerID{peers[c], peers[d]}}, 0, []int{c}, map[int]string{a: "its target names other peers", b: "its target names other peers", d: "it is drained", e: "its target names other peers"}},
		{"peers and a tag", api.Target{Peers: []api.PeerID{peers[a], peers[c]}, Tags: []string{"edge"}}, 0, []int{a}, map[int]string{b: "its target names other peers", c: "it has no tag edge", d: "its target names other peers", e: "its target names other peers"}},
		{"memory", api.Target{}, 1024, []int{b, c}, map[int]string{a: "it needs 1024 MiB, the member gives 512", d: "it is drained", e: down}},
		{"as much memory as there is", api.Target{}, 2048, []int{b, c}, map[int]string{a: "it needs 2048 MiB, the member gives 512", d: "it is drained", e: "it needs 2048 MiB, the member gives 1024"}},
		{"the target tells more than the memory", api.Target{Tags: []string{"gpu"}}, 1024, []int{b}, map[int]string{a: "it has no tag gpu", c: "it has no tag gpu", d: "it has no tag gpu", e: "it has no tag gpu"}},
		{"one that is down", api.Target{Peers: []api.PeerID{peers[e]}}, 0, nil, map[int]string{a: "its target names other peers", b: "its target names other peers", c: "its target names other peers", d: "its target names other peers", e: down}},
		{"nobody", api.Target{Tags: []string{"web"}}, 0, nil, map[int]string{a: "it has no tag web", b: "it has no tag web", c: "it has no tag web", d: "it has no tag web", e: "it has no tag web"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := placement.Place(placement.Workload{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Target: tt.target, MemoryMB: tt.memory}, members)
			var want []api.PeerID
			for _, i := range tt.in {
				want = append(want, peers[i])
			}
			got := slices.Sorted(slices.Values(r.In))
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("in: %v, want %v", got, want)
			}
			if len(r.Out) != len(tt.out) {
				t.Errorf("out: %v, want %v", r.Out, tt.out)
			}
			drained := true
			for _, o := range r.Out {
				why := tt.out[slices.Index(peers, o.Peer)]
				if o.Why != why || o.Drained != (why == "it is drained") {
					t.Errorf("%s: %q (drained: %v), want %q", o.Peer.Short(), o.Why, o.Drained, why)
				}
				if o.Drained && !drained {
					t.Error("one that is drained comes after one that cannot run it")
				}
				drained = o.Drained
			}
		})
	}
}

// TestPlaceMovesLeast holds for each workload by itself.
func TestPlaceMovesLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	for range 300 {
		members := randomMembers(r, 2+r.IntN(12), r.IntN(2) == 0)
		w := workloads(r, 1, 1+r.IntN(5))[0]
		i := r.IntN(len(members))
		who := members[i].Peer
		all := first(w, placement.Place(w, members))

		fewer := first(w, placement.Place(w, without(members, i)))
		for _, p := range all {
			if p != who && !slices.Contains(fewer, p) {
				t.Fatalf("%s ceased to run it when another left", p)
			}
		}
		if n := moved(runs{w.Ref: all}, runs{w.Ref: fewer}); n > 1 || n == 1 && !slices.Contains(all, who) {
			t.Fatalf("%d replicas moved when one member left", n)
		}
		if n := moved(runs{w.Ref: fewer}, runs{w.Ref: all}); n > 1 || n == 1 && !slices.Contains(all, who) {
			t.Fatalf("%d replicas moved when one member joined", n)
		}

		changed := slices.Clone(members)
		changed[i].Capacity.CPUs = 1 + r.IntN(64)
		other := first(w, placement.Place(w, changed))
		if n := moved(runs{w.Ref: all}, runs{w.Ref: other}); n > 1 || n == 1 && slices.Contains(all, who) == slices.Contains(other, who) {
			t.Fatalf("%d replicas moved when one member changed: %v, then %v", n, all, other)
		}
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	for range 50 {
		members := randomMembers(r, 1+r.IntN(12), r.IntN(2) == 0)
		for i := range members {
			members[i].Roles = roles[r.IntN(len(roles))]
			members[i].Drained = r.IntN(8) == 0
			members[i].RunnerDown = r.IntN(8) == 0
		}
		ws := workloads(r, 1+r.IntN(100), r.IntN(5))
		for i := range ws {
			ws[i].Target.Tags = [][]string{nil, {"x"}, {"y"}}[r.IntN(3)]
		}
		all := placement.PlaceAll(ws, members)
		if again := placement.PlaceAll(shuffled(r, ws), shuffled(r, members)); !reflect.DeepEqual(all, again) {
			t.Fatal("another order of workloads and members gives other rankings")
		}
		for _, w := range ws {
			if !reflect.DeepEqual(placement.Place(w, members), placement.Place(w, shuffled(r, members))) {
				t.Fatal("another order of members gives another ranking")
			}
		}
	}
}

func TestWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for _, weight := range []int{1, 2, 3, 8, 64} {
		members := randomMembers(r, 4, true)
		members[2].Capacity.CPUs = weight
		const n = 40_000
		got := float64(placeEach(workloads(r, n, 1), members).load()[members[2].Peer]) / n
		if want := float64(weight) / float64(weight+3); math.Abs(got-want) > 0.01 {
			t.Errorf("with %d times the processors of three others: a share of %.3f, want %.3f", weight, got, want)
		}
	}
}

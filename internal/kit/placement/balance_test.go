package placement_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// TestBalance is the promise: each of ten equal members runs within 20 % of its share
// of a thousand workloads.
func TestBalance(t *testing.T) {
	const realms, members, count = 200, 10, 1000
	for _, replicas := range []int{1, 3} {
		byChance, worst := 0, 0.0
		for seed := range uint64(realms) {
			r := rand.New(rand.NewPCG(seed, 6))
			ms, ws := randomMembers(r, members, true), workloads(r, count, replicas)
			if off(placeEach(ws, ms), ms, count*replicas) > 0.2 {
				byChance++
			}
			worst = max(worst, off(placeAll(ws, ms), ms, count*replicas))
		}
		t.Logf("%d replicas: at most %.1f %% off; by hashing alone %d of %d realms are off by more than 20 %%", replicas, 100*worst, byChance, realms)
		if worst > 0.2 {
			t.Errorf("a member is %.1f %% off its share", 100*worst)
		}
	}
}

// off is by what part of its share the worst of equal members differs from it.
func off(r runs, members []placement.Member, total int) (worst float64) {
	load, share := r.load(), float64(total)/float64(len(members))
	for _, m := range members {
		worst = max(worst, math.Abs(float64(load[m.Peer])-share)/share)
	}
	return worst
}

// TestBalanceOfWeights: in proportion to processors, but no workload twice on a member.
func TestBalanceOfWeights(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		ms := randomMembers(r, 3+r.IntN(10), false)
		replicas := 1 + r.IntN(len(ms)-1)
		ws := workloads(r, 50+r.IntN(1000), replicas)
		load := placeAll(ws, ms).load()
		for p, share := range shares(ms, float64(len(ws)), replicas) {
			if slack := max(0.15*share, 1.5*math.Sqrt(share)) + 1; math.Abs(float64(load[p])-share) > slack {
				t.Errorf("seed %d: a member runs %d, its share is %.1f", seed, load[p], share)
			}
		}
	}
}

// shares are in proportion to processors, at most one replica of each workload: the
// heaviest members run all of them first.
func shares(members []placement.Member, workloads float64, replicas int) map[api.PeerID]float64 {
	ms := slices.Clone(members)
	slices.SortFunc(ms, func(a, b placement.Member) int { return cmp.Compare(b.Capacity.CPUs, a.Capacity.CPUs) })
	sum := 0.0
	for _, m := range ms {
		sum += float64(m.Capacity.CPUs)
	}
	left, out := float64(replicas), map[api.PeerID]float64{}
	for _, m := range ms {
		part := min(1, left*float64(m.Capacity.CPUs)/sum)
		out[m.Peer] = part * workloads
		left, sum = left-part, sum-float64(m.Capacity.CPUs)
	}
	return out
}

// TestBalanceKeepsFilters: whatever is changed, it stays among those that can run it.
func TestBalanceKeepsFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	changed := 0
	for range 40 {
		ms := randomMembers(r, 2+r.IntN(10), r.IntN(2) == 0)
		for i := range ms {
			ms[i].Roles = roles[r.IntN(len(roles))]
			ms[i].Drained = r.IntN(8) == 0
		}
		var ws []placement.Workload
		for _, w := range workloads(r, 400, 0) {
			w.Replicas = r.IntN(4)
			w.Target.Tags = [][]string{nil, {"x"}, {"y"}}[r.IntN(3)]
			ws = append(ws, w)
		}
		for ref, got := range placement.PlaceAll(ws, ms) {
			w := ws[slices.IndexFunc(ws, func(w placement.Workload) bool { return w.Ref == ref })]
			want := placement.Place(w, ms)
			if !reflect.DeepEqual(got.Out, want.Out) {
				t.Fatalf("out: %v, want %v", got.Out, want.Out)
			}
			if !slices.Equal(got.In, want.In) {
				changed++
			}
			slices.Sort(got.In)
			if slices.Sort(want.In); !slices.Equal(got.In, want.In) {
				t.Fatalf("in: %v, want %v", got.In, want.In)
			}
		}
	}
	if changed == 0 {
		t.Error("no ranking was changed: this test tests nothing")
	}
}

// TestBalanceMovesLittle: what evens out numbers moves few replicas when a member
// leaves or something is pushed.
func TestBalanceMovesLittle(t *testing.T) {
	for _, c := range []struct {
		name                        string
		workloads, members, reps    int
		realms                      int
		extra, byPush, changedByAll float64 // at most: replicas moved beyond the least by a member's leaving, by a push, and rankings changed at all
	}{
		{"1000 on 10", 1000, 10, 1, 30, 5, 0.3, 6},
		{"3 replicas of 1000 on 10", 1000, 10, 3, 30, 1, 0.1, 1},
		{"200 on 5", 200, 5, 1, 30, 3, 0.3, 3},
		{"20 on 3", 20, 3, 1, 30, 1, 0.3, 1},
		{"1000 on 100", 1000, 100, 1, 5, 8, 0.5, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			const pushes = 10
			var extra, byPush, changed int
			for seed := range uint64(c.realms) {
				r := rand.New(rand.NewPCG(seed, 9))
				ms, ws := randomMembers(r, c.members, true), workloads(r, c.workloads+pushes, c.reps)
				more, ws := ws[c.workloads:], ws[:c.workloads:c.workloads]
				now := placeAll(ws, ms)
				changed += moved(placeEach(ws, ms), now)
				extra += moved(now, placeAll(ws, ms[1:])) - now.load()[ms[0].Peer]
				for _, w := range more {
					ws = append(ws, w)
					next := placeAll(ws, ms)
					byPush += moved(now, next)
					now = next
				}
			}
			realms := float64(c.realms)
			a, b, d := float64(extra)/realms, float64(byPush)/realms/pushes, float64(changed)/realms
			t.Logf("moved beyond the least when a member leaves: %.2f; by a push: %.2f; changed at all: %.2f", a, b, d)
			if a > c.extra || b > c.byPush || d > c.changedByAll {
				t.Errorf("want at most %v, %v and %v", c.extra, c.byPush, c.changedByAll)
			}
		})
	}
}

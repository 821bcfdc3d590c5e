package placement

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMinusLog2(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := []uint64{0, 1, 2, 3, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 63, 1<<63 - 1, 1<<63 + 1, math.MaxUint64}
	for range 100_000 {
		xs = append(xs, r.Uint64()>>r.IntN(64))
	}
	for _, x := range xs {
		want := 64 - math.Log2(float64(x|1))
		if x == math.MaxUint64 {
			want = 0
		}
		if got := float64(minusLog2(x)) / (1 << fraction); math.Abs(got-want) > 1e-6 {
			t.Fatalf("minusLog2(%#x) = %v, want %v", x, got, want)
		}
		if x > 2 && minusLog2(x-1) < minusLog2(x) {
			t.Fatalf("minusLog2(%#x) falls below that of the next number", x-1)
		}
	}
}

// TestCostIsTheSameEverywhere holds the figures that members of all platforms and
// versions must agree on: when one of these changes, replicas move in every realm that
// is being upgraded.
func TestCostIsTheSameEverywhere(t *testing.T) {
	for _, c := range []struct {
		workload, peer string
		weight, want   uint64
	}{
		{"component/web", "12D3KooWA", 1, 1635089855283200},
		{"component/web", "12D3KooWA", 16, 102193115955200},
		{"component/web", "12D3KooWB", 1, 50784079720742912},
		{"function/double", "12D3KooWA", 3, 64604227553809749},
	} {
		if got := cost(hash(c.workload), hash(c.peer), c.weight); got != c.want {
			t.Errorf("cost(%s, %s, %d) = %d, want %d", c.workload, c.peer, c.weight, got, c.want)
		}
	}
}

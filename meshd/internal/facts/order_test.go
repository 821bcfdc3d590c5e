package facts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// TestAnyOrder merges the batches of one author as they were sent, and shuffled, some
// of them twice: the outcome is the same, and nothing is taken twice.
func TestAnyOrder(t *testing.T) {
	states := []api.State{api.StateFetching, api.StateStarting, api.StateRunning, api.StateBackoff}
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a reproducible order
		has := map[string]api.WorkloadFact{}
		var sent []*api.FactBatch
		for seq := uint64(1); seq <= 40; seq++ {
			var said []api.WorkloadFact
			for range 1 + rng.IntN(4) {
				f := fact(alice, fmt.Sprint("w", rng.IntN(8)), states[rng.IntN(len(states))])
				has[string(f.Name)] = f
				said = append(said, f)
			}
			full := rng.IntN(10) == 0
			if full {
				delete(has, fmt.Sprint("w", rng.IntN(8)))
				said = nil
				for _, f := range has {
					said = append(said, f)
				}
			}
			sent = append(sent, batch(1, seq, full, last(said)...))
		}
		want := merged(t, sent)
		shuffled := append(slices.Clone(sent), sent[:10]...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := merged(t, shuffled); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, in order %v", seed, got, want)
		}
	}
}

// last leaves of facts about one workload the last.
func last(all []api.WorkloadFact) (out []api.WorkloadFact) {
	for i, f := range all {
		if !slices.ContainsFunc(all[i+1:], func(o api.WorkloadFact) bool { return o.Ref == f.Ref }) {
			out = append(out, f)
		}
	}
	return out
}

func merged(t *testing.T, all []*api.FactBatch) []string {
	t.Helper()
	table, b := newTable(), bucket{}
	table.Up(alice, start)
	taken := map[uint64]bool{}
	for _, in := range all {
		err := table.Merge(alice, in, start)
		if err != nil && !errors.Is(err, ErrStale) || err == nil && taken[in.Seq] {
			t.Fatalf("batch %d: %v", in.Seq, err)
		}
		taken[in.Seq] = taken[in.Seq] || err == nil
	}
	b.apply(t, table)
	return b.states(t)
}

func TestWindow(t *testing.T) {
	var w window
	for _, step := range []struct {
		n    uint64
		want bool
	}{
		{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {windowSize + 2, true}, {3, false}, {4, true}, {2, false},
		{3 * windowSize, true}, {windowSize + 3, false}, {2 * windowSize, false}, {2*windowSize + 1, true}, {2*windowSize + 1, false},
	} {
		if got := w.fresh(step.n); got != step.want {
			t.Errorf("%d after %d: fresh is %v", step.n, w.top, got)
		}
		if step.want {
			w.take(step.n)
		}
	}
}

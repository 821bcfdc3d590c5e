package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestNothingFails: 500 runs on five nodes are executed once each.
func TestNothingFails(t *testing.T) {
	for seed := range uint64(10) {
		s := newSim(t, seed, 5, 4)
		s.run(15 * time.Second)
		for i := range 500 {
			s.submit(s.rng.IntN(5), fmt.Sprintf("job-%d", i), api.Job{})
			s.run(time.Duration(s.rng.IntN(10)) * time.Millisecond)
		}
		s.run(2 * time.Minute)
		s.agree()
		for id, n := range s.started {
			if n != 1 {
				s.fail(id, "it was executed %d times", n)
			}
		}
		if len(s.started) != 500 && !s.failed {
			t.Errorf("seed %d: %d of 500 runs were executed", seed, len(s.started))
		}
	}
}

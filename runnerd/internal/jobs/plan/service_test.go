package plan_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
)

// TestService: one is up again within half a minute of its end, its member's death or the
// end of a partition, and one only.
func TestService(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newSim(t, seed, 4, 4)
		s.length = func(book.ID) time.Duration { return time.Duration(1+s.rng.IntN(900)) * time.Second }
		s.outcome = func(api.Exec) api.ExecState { return api.ExecFailed }
		root := s.submit(0, "web", api.Job{Type: api.JobService, Backoff: api.Backoff{Max: api.Duration(4 * time.Second)}})
		s.run(20 * time.Second)
		for range 8 {
			s.chaos()
			s.run(time.Duration(s.rng.IntN(20)) * time.Second)
		}
		s.length = func(book.ID) time.Duration { return time.Hour }
		s.calm(16 * time.Minute)
		up := 0
		for _, n := range s.nodes {
			up += len(n.running)
		}
		if up != 1 {
			s.fail(book.ID{Root: root, Run: "0"}, "%d are up", up)
		}
		s.cancel(0, root)
		s.run(time.Minute)
		s.cancelled()
		if s.agree(); s.failed {
			return
		}
	}
}

// TestExpiry: what nobody can begin expires, and what needs it fails.
func TestExpiry(t *testing.T) {
	s := newSim(t, 1, 3, 4)
	s.run(15 * time.Second)
	big := api.Job{Resources: api.JobResources{CPUMilli: 64000}}
	s.submit(0, "big-1", big, func(j *book.Job) { j.Expires = s.now.Add(time.Minute) })
	needs := s.submit(1, "then-1", api.Job{Needs: []api.Name{"big-1"}})
	s.run(30 * time.Second)
	if sum, _ := s.nodes[2].book.Summary(needs); sum.State != api.JobWaiting {
		t.Errorf("it is %s: %s", sum.State, sum.Reason)
	}
	s.run(time.Minute)
	sum, _ := s.nodes[2].book.Summary(needs)
	if sum.State != api.JobFailed || sum.Reason != "it needs big-1, which has expired" {
		t.Errorf("it is %s: %s", sum.State, sum.Reason)
	}
	s.agree()
}

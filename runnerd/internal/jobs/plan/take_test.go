package plan_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// TestSlowTake: what a home has given away in an answer that took long is the taker's for
// as long as it was meant to be, by the home's clock: after that, both would begin it.
func TestSlowTake(t *testing.T) {
	b := book.New(peer(0))
	p := plan.New(peer(0), b)
	p.SetMembers(crowd(2), began)
	room, now := plan.Room{CPUMilli: 2000}, began.Add(2*plan.Settle)
	for i := range 20 {
		b.SetJob(book.Job{Root: api.Sum([]byte{byte(i)}), Name: api.JobID("job", i+1), Issued: now, Seq: 1,
			Body: &api.Job{Type: api.JobOneShot, Runtime: api.JobRuntime{Type: api.RuntimeNative}}})
	}
	for range 20 { // those that are at home here are done
		for _, c := range p.Plan(now, room).Claims {
			b.Put(api.JobRecord{Root: c.Exec.Root, Run: "0", Epoch: 1, Peer: peer(0), Seq: 1, State: api.ExecSucceeded, Claimed: now, Ended: now})
		}
	}
	asked := now.Add(plan.PullAfter)
	out := p.Plan(asked, room)
	if len(out.Takes) != 1 {
		t.Fatalf("%+v", out)
	}
	p.Took(peer(1), out.Takes[0].Runs, asked.Add(1900*time.Millisecond))
	again := asked.Add(plan.GiveFor - time.Millisecond)
	if out = p.Plan(again, room); len(out.Claims) != 0 || len(out.Takes) != 1 {
		t.Fatalf("%d are begun when the home is about to begin them itself, %d questions", len(out.Claims), len(out.Takes))
	}
	p.Took(peer(1), out.Takes[0].Runs, again.Add(time.Second))
	if out = p.Plan(again.Add(time.Second), room); len(out.Claims) != 2 {
		t.Errorf("%d are begun in time", len(out.Claims))
	}
}

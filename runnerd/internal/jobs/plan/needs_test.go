package plan_test

import (
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// TestNeededIsRemoved: what needs a job that was removed says so, and goes on when it
// comes back.
func TestNeededIsRemoved(t *testing.T) {
	b := book.New(peer(0))
	p := plan.New(peer(0), b)
	p.SetMembers(crowd(1), began)
	room := plan.Room{CPUMilli: 2000}
	first := book.Job{Root: api.Sum([]byte("a")), Name: "a-1", Issued: began, Body: &api.Job{Type: api.JobOneShot}}
	second := book.Job{Root: api.Sum([]byte("b")), Name: "b-1", Issued: began, Body: &api.Job{Type: api.JobOneShot, Needs: []api.Name{"a-1"}}}
	b.SetJob(first)
	b.SetJob(second)
	rec := api.JobRecord{Root: first.Root, Job: "a-1", Run: "0", Epoch: 1, Peer: peer(0), Seq: 1, State: api.ExecRunning, Claimed: began}
	b.Put(rec)
	for _, tt := range []struct {
		what string
		do   func()
		says string
	}{
		{"it goes on", func() {}, "it needs a-1, which is running"},
		{"it was removed", func() { b.DropJob(first.Root) }, "it needs a-1, which is not known here: it was removed, or is on its way"},
		{"its records are gone", func() { b.Drop(rec.Exec()) }, "it needs a-1, which is not known here: it was removed, or is on its way"},
		{"it is back", func() { b.SetJob(first); b.Put(rec) }, "it needs a-1, which is running"},
	} {
		tt.do()
		if out := p.Plan(began, room); len(out.Claims) > 0 {
			t.Errorf("%s, and is begun", tt.what)
		}
		if s, ok := b.Summary(second.Root); !ok || s.State != api.JobWaiting || s.Reason != tt.says {
			t.Errorf("%s: %s: %q", tt.what, s.State, s.Reason)
		}
	}
	rec.State, rec.Ended = api.ExecSucceeded, began
	b.Put(rec)
	if out := p.Plan(began.Add(2*plan.Settle), room); len(out.Claims) != 1 || out.Claims[0].Exec.Root != second.Root {
		t.Errorf("it has succeeded, and there is %+v", out)
	}
}

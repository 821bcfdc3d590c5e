package plan_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// TestLetGo: a run whose records are not kept any more, since there were too many, is not
// executed again, and who would do so, as it never had them, is told.
func TestLetGo(t *testing.T) {
	for name, states := range map[string][]api.ExecState{
		"succeeded": {api.ExecSucceeded},
		"retried":   {api.ExecFailed, api.ExecSucceeded},
		"failed":    {api.ExecFailed, api.ExecFailed},
	} {
		t.Run(name, func(t *testing.T) {
			b := book.New(peer(0))
			p := plan.New(peer(0), b)
			p.SetMembers(crowd(1), began)
			j := book.Job{Root: api.Sum(nil), Name: "j-1", Issued: began, Body: &api.Job{Type: api.JobOneShot, Retries: 1}}
			b.SetJob(j)
			var recs []api.JobRecord
			for i, s := range states {
				recs = append(recs, api.JobRecord{Root: j.Root, Job: "j-1", Run: "0", Epoch: i + 1, Peer: peer(0), Seq: 1, State: s, Claimed: began, Ended: began})
				b.Put(recs[i])
			}
			want := b.Run(j.Root, "0").State
			for _, rec := range recs { // the oldest goes first
				b.Drop(rec.Exec())
				out := p.Plan(began.Add(time.Hour), plan.Room{CPUMilli: 2000})
				if v := b.Run(j.Root, "0"); v.State != want || len(out.Claims) > 0 {
					t.Errorf("without epoch %d it is %s, and there are %d claims", rec.Epoch, v.State, len(out.Claims))
				}
			}
			if _, who := p.Answer(api.JobClaim{Root: j.Root, Run: "0", Epoch: 1}, peer(1), began); who == "" {
				t.Error("nobody objects to a claim")
			}
			for _, rec := range recs { // they come back
				b.Put(rec)
			}
			if v := b.Run(j.Root, "0"); v.State != want || v.Accepted == nil || v.Reason != "" {
				t.Errorf("with its records it is %+v", v)
			}
		})
	}
}

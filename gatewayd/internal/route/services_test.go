package route_test

import (
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

// said is what a member says of an execution of the only run of a job.
func said(job api.Name, epoch int, peer byte, s api.ExecState, ready bool) api.JobRecord {
	return api.JobRecord{Root: api.Sum([]byte(job)), Job: job, Run: api.NewRunKey(time.Time{}, 0), Epoch: epoch, Peer: standin.Peer(peer), State: s, Ready: ready}
}

func TestServices(t *testing.T) {
	b := fill(nil, peer(1, true, time.Millisecond), peer(2, true, 2*time.Millisecond))
	put := func(rec api.JobRecord) bool { return b.PutRecord(api.KeyRecord(rec.Exec()), &rec) }
	find := func(name api.Name, id api.Name, on ...byte) {
		t.Helper()
		table := b.Table(time.Now())
		ref, ok := table.Service(name)
		var got, want []api.PeerID
		for _, r := range table.Replicas(ref) {
			got = append(got, r.Peer)
		}
		for _, n := range on {
			want = append(want, standin.Peer(n))
		}
		slices.Sort(want)
		if ok != (id != "") || ok && (ref != api.Ref{Kind: api.KindJob, Name: id}) || !slices.Equal(got, want) {
			t.Errorf("%s is %v (%v), on %v; want %s on %v", name, ref, ok, got, id, want)
		}
	}
	find("web", "")
	put(said("web-1", 1, 1, api.ExecRunning, false))
	find("web", "")
	if !put(said("web-1", 1, 1, api.ExecRunning, true)) || put(said("web-1", 1, 1, api.ExecRunning, true)) {
		t.Error("what is news is not, or what is none is")
	}
	find("web", "web-1", 1)
	find("web-1", "web-1", 1)
	put(said("web-1", 2, 2, api.ExecClaimed, false)) // its member was lost
	find("web-1", "")
	put(said("web-1", 2, 2, api.ExecRunning, true))
	find("web-1", "web-1", 2)
	put(said("web-9", 1, 1, api.ExecRunning, true))
	put(said("web-10", 1, 2, api.ExecRunning, true))
	put(said("web", 1, 2, api.ExecRunning, true))
	find("web", "web", 2) // an id is what it is
	put(said("web", 1, 2, api.ExecFailed, false))
	find("web", "web-10", 2)
	gone := said("web-10", 1, 2, "", false)
	b.DeleteRecord(api.KeyRecord(gone.Exec()))
	find("web", "web-9", 1)
	if table := b.Table(time.Now()); !table.LeftLately(api.Ref{Kind: api.KindJob, Name: "web-10"}, time.Now()) {
		t.Error("nobody knows that it was there a moment ago")
	}
	b.ResetFacts()
	b.SyncedFacts()
	find("web-9", "web-9", 1)
	b.ResetRecords()
	put(said("web-1", 2, 2, api.ExecRunning, true))
	find("web-9", "web-9", 1)
	b.SyncedRecords()
	find("web-9", "")
	find("web", "web-1", 2)
	if got := elsewhere(b.Table(time.Now()), api.Ref{Kind: api.KindJob, Name: "web-1"}); !slices.Equal(got, []api.PeerID{standin.Peer(2)}) {
		t.Errorf("it is asked on %v", got)
	}
}

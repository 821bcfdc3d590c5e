package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

// TestPull: members with room get runs that wait for others, so that all have work until
// the end; each is executed once.
func TestPull(t *testing.T) {
	for seed := range uint64(20) {
		s := newSim(t, seed, 4, 2)
		s.nodes[0].cpus = 40 // the planners know; most runs are at home there
		for _, n := range s.nodes {
			n.members()
		}
		s.nodes[0].cpus = 2 // and it has less room than it says
		s.length = func(book.ID) time.Duration { return time.Second }
		s.run(15 * time.Second)
		for range 80 {
			s.submit(0, "job", api.Job{})
		}
		s.run(16 * time.Second) // 80 runs, 8 at a time
		s.agree()
		for id, n := range s.started {
			if n != 1 {
				s.fail(id, "it was executed %d times", n)
			}
		}
		if s.failed {
			return
		}
	}
}

// TestExplain says of each member why it does, or does not, execute a job.
func TestExplain(t *testing.T) {
	members := crowd(9)
	members[1].Live = false
	members[2].RunnerDown = true
	members[3].Drained = true
	members[4].Platform = "darwin/arm64"
	members[5].Powers.Native = false
	members[6].Capacity = api.Capacity{CPUs: 1}
	members[7].Capacity.MemoryMB = 100
	b := book.New(peer(0))
	p := plan.New(peer(0), b)
	p.SetMembers(members, began)
	j := book.Job{Root: api.Sum(nil), Name: "j-1", Issued: began, Body: &api.Job{Type: api.JobOneShot, Platform: "linux/amd64",
		Runtime: api.JobRuntime{Type: api.RuntimeNative}, Resources: api.JobResources{CPUMilli: 1500, MemoryMB: 200}, Needs: []api.Name{"j-0"}}}
	for i := range 8 {
		j.Target.Peers = append(j.Target.Peers, peer(i))
	}
	b.SetJob(j)
	p.Plan(began, plan.Room{CPUMilli: 2000})
	got, ok := p.Explain(j.Root, began)
	if !ok || got.State != api.JobWaiting || len(got.Members) != len(members) || len(got.Needs) != 1 {
		t.Fatalf("%+v", got)
	}
	want := []string{"it needs j-0, which is not known here: it was removed, or is on its way", "it is not there", "its runnerd is down", "it is drained", "it is darwin/arm64",
		"its policy does not allow native execution", "it has 1 processors, the job wants 1.5", "it gives 100 MiB, the job wants 200", "its node_ids name other members"}
	for _, m := range got.Members {
		for i := range members {
			if m.Peer == peer(i) && (!strings.HasPrefix(m.Why, want[i]) || (m.Rank > 0) != (i < 3)) {
				t.Errorf("%d: rank %d, %q; want %q", i, m.Rank, m.Why, want[i])
			}
		}
	}
	if state, why := p.Outlook(book.ID{Root: j.Root, Run: "0"}); state != api.JobWaiting || why != want[0] {
		t.Errorf("%s: %s", state, why)
	}
}

// TestEmulation: qemu jobs are for linux members that emulate what they are made for.
func TestEmulation(t *testing.T) {
	members := crowd(3)
	members[1].Powers.Emulates = []string{"arm64"}
	members[2].Powers.Emulates = []string{"arm64"}
	members[2].Platform = "darwin/arm64"
	b := book.New(peer(1))
	p := plan.New(peer(1), b)
	p.SetMembers(members, began)
	j := book.Job{Root: api.Sum(nil), Name: "j-1", Issued: began, Body: &api.Job{Type: api.JobOneShot,
		Runtime: api.JobRuntime{Type: api.RuntimeQEMU, TargetPlatform: "linux/arm64"}}}
	b.SetJob(j)
	out := p.Plan(began.Add(20*time.Second), plan.Room{CPUMilli: 2000})
	if len(out.Claims) != 1 || len(out.Claims[0].Ask) == 0 {
		t.Fatalf("late, it begins at once: %+v", out)
	}
	p.Asked(out.Claims[0].Exec, false, began.Add(20*time.Second))
	out = p.Plan(began.Add(20*time.Second), plan.Room{CPUMilli: 2000})
	if len(out.Claims) != 1 || len(out.Claims[0].Ask) != 0 || out.Claims[0].Exec.Epoch != 1 {
		t.Fatalf("nobody has objected: %+v", out)
	}
}

package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
)

var began = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func peer(i int) api.PeerID {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	return api.PeerID("12D3KooW" + strings.Repeat(string(digits[i%58]), 43) + string(digits[i/58]))
}

// crowd is members that are all alike, and up.
func crowd(n int) []plan.Member {
	var out []plan.Member
	for i := range n {
		m := plan.Member{Platform: "linux/amd64", Powers: api.Powers{Native: true}, Live: true}
		m.Peer, m.Capacity = peer(i), api.Capacity{CPUs: 2}
		out = append(out, m)
	}
	return out
}

// full is a book of as many jobs as runs, of which open have not ended, each executed by
// somebody else, with a planner that has seen it.
func full(runs, open, members int) (*book.Book, *plan.Planner, []api.JobRecord) {
	b := book.New(peer(0))
	p := plan.New(peer(0), b)
	p.SetMembers(crowd(members), began)
	var going []api.JobRecord
	for i := range runs {
		j := book.Job{Root: api.Sum(fmt.Append(nil, i)), Name: api.JobID("job", i+1), Issued: began.Add(time.Duration(i) * time.Millisecond),
			Body: &api.Job{Type: api.JobOneShot, Runtime: api.JobRuntime{Type: api.RuntimeNative}}, Seq: 1, Expires: began.Add(time.Hour)}
		b.SetJob(j)
		rec := api.JobRecord{Root: j.Root, Job: j.Name, Run: "0", Epoch: 1, Peer: peer(1 + i%(members-1)), Seq: 1, State: api.ExecRunning, Claimed: began, Started: began}
		if i < runs-open {
			rec.State, rec.Ended = api.ExecSucceeded, began
		} else {
			going = append(going, rec)
		}
		b.Put(rec)
	}
	p.Plan(began, plan.Room{CPUMilli: 2000})
	return b, p, going
}

// BenchmarkRecord is what one record costs.
func BenchmarkRecord(b *testing.B) {
	for _, members := range []int{5, 50} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			bk, p, going := full(20_000, 500, members)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				rec := &going[i%len(going)]
				rec.Seq++
				bk.Put(*rec)
				p.Plan(began.Add(time.Second), plan.Room{CPUMilli: 2000})
			}
		})
	}
}

// BenchmarkWaiting is likewise, where the runs wait for their homes to have room.
func BenchmarkWaiting(b *testing.B) {
	for _, members := range []int{5, 50} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			bk, p, going := full(20_000, 500, members)
			for _, rec := range going {
				bk.Drop(rec.Exec())
			}
			p.Plan(began.Add(time.Second), plan.Room{CPUMilli: 1})
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				rec := going[i%len(going)]
				if i/len(going)%2 == 0 {
					bk.Put(rec)
				} else {
					bk.Drop(rec.Exec())
				}
				p.Plan(began.Add(time.Second), plan.Room{CPUMilli: 1})
			}
		})
	}
}

// BenchmarkMembers is what it costs that a member goes and comes.
func BenchmarkMembers(b *testing.B) {
	for _, members := range []int{5, 50} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			_, p, _ := full(20_000, 500, members)
			list := crowd(members)
			for b.Loop() {
				list[1].Live = !list[1].Live
				p.SetMembers(list, began.Add(time.Second))
				p.Plan(began.Add(time.Second), plan.Room{CPUMilli: 2000})
			}
		})
	}
}

// BenchmarkStart is what a node does first: it reads all, and plans.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		full(20_000, 500, 5)
	}
}

// BenchmarkAlone is an instant of a recurring job with as many runs as there may be, none
// of which may go on beside one of an earlier instant.
func BenchmarkAlone(b *testing.B) {
	for b.Loop() {
		bk := book.New(peer(0))
		p := plan.New(peer(0), bk)
		p.SetMembers(crowd(5), began)
		bk.SetJob(book.Job{Root: api.Sum(nil), Name: "job-1", Issued: began, Seq: 1, Body: &api.Job{Type: api.JobRecurring, Parallelism: api.MaxParallelism,
			Runtime: api.JobRuntime{Type: api.RuntimeNative}, Schedule: &api.JobSchedule{Cron: "* * * * *", Concurrency: api.ConcurrencyForbid}}})
		p.Plan(began, plan.Room{CPUMilli: 1000})
		p.Plan(began.Add(time.Minute), plan.Room{CPUMilli: 1000})
	}
}

package reconcile

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// Size of the realm that is measured.
const (
	manyMembers   = 10
	manyWorkloads = 10_000
)

// crowd is a realm of many members with nothing else to say.
type crowd struct {
	members []api.PeerID
	drained api.PeerID
}

func (c *crowd) Members() []api.PeerID { return c.members }

func (c *crowd) Terms(p api.PeerID, own []string) ([]string, bool) { return own, p == c.drained }

func (c *crowd) Version(api.Ref, uint64) (intent.Signed, bool) { return intent.Signed{}, false }

// busy is a Reconciler that knows many workloads, all of which run where they should,
// and what was applied.
func busy(t testing.TB) (r *Reconciler, realm *crowd, all []intent.Signed, applied *int) {
	t.Helper()
	realm, applied = &crowd{}, new(int)
	for p := range manyMembers {
		realm.members = append(realm.members, peer(p+1))
	}
	r = New(Config{Self: peer(1), Capacity: api.Capacity{CPUs: 4}, Realm: realm, Now: time.Now, Kept: func(api.Ref) bool { return false },
		Apply: func(context.Context, workload.Want) error { *applied++; return nil }})
	for _, src := range []Source{Records, Facts} {
		r.Begin(src)
		for p := 2; p <= manyMembers && src == Records; p++ {
			r.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(p), Capacity: api.Capacity{CPUs: 4}}, Live: true})
		}
		r.End(src)
	}
	var wants []wanted.Want
	for i := range manyWorkloads {
		var s intent.Signed
		if i%2 == 0 {
			s = sign(t, owner, api.Ref{Kind: api.KindFunction, Name: api.Name(fmt.Sprint("f", i))}, 1, function(byte(i)))
		} else {
			s = sign(t, owner, api.Ref{Kind: api.KindComponent, Name: api.Name(fmt.Sprint("c", i))}, 1, component(byte(i), i%4))
		}
		all = append(all, s)
		wants = append(wants, wanted.Want{Signed: s})
	}
	r.Wanted(wanted.Change{Wants: wants})
	r.End(Intents)
	r.pass(t.Context())
	for _, s := range all {
		x, err := r.Explain(s.Ref)
		check(t, err)
		for _, m := range x.Members {
			f := api.WorkloadFact{Ref: s.Ref, Peer: m.Peer, Intent: s.Digest, Seq: 1, State: api.StateRunning}
			switch {
			case m.Duty != api.DutyRun:
			case m.Peer == r.Self:
				r.Own(f)
			default:
				r.Fact(f)
			}
		}
	}
	r.pass(t.Context())
	return r, realm, all, applied
}

// BenchmarkStart has a node begin, and tells what a workload takes in memory.
func BenchmarkStart(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		r, _, _, _ := busy(b)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(r)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/manyWorkloads, "B/workload")
}

// BenchmarkMember has a member be drained, and not: everything is ranked anew.
func BenchmarkMember(b *testing.B) {
	r, realm, _, applied := busy(b)
	n := 0
	for b.Loop() {
		realm.drained = ""
		if n++; n%2 == 1 {
			realm.drained = realm.members[4]
		}
		r.Wanted(wanted.Change{Members: true})
		r.pass(b.Context())
	}
	b.ReportMetric(float64(*applied-manyWorkloads)/float64(n), "applied/op")
}

// BenchmarkFacts has a member tell of as many workloads as a batch holds.
func BenchmarkFacts(b *testing.B) {
	r, realm, all, _ := busy(b)
	n := 0
	for b.Loop() {
		n++
		for i := range api.MaxFacts {
			s := all[(n*api.MaxFacts+i)%len(all)]
			r.Fact(api.WorkloadFact{Ref: s.Ref, Peer: realm.members[5], Intent: s.Digest, Seq: 1, State: api.StateBackoff, Restarts: n})
		}
		r.pass(b.Context())
	}
}

// BenchmarkIntent has one component be scaled: those that share members are ranked anew.
func BenchmarkIntent(b *testing.B) {
	r, _, all, _ := busy(b)
	n := 0
	for b.Loop() {
		n++
		w := wanted.Want{Signed: sign(b, owner, all[1].Ref, uint64(n+1), component(1, 1+n%3))}
		r.Wanted(wanted.Change{Wants: []wanted.Want{w}})
		r.pass(b.Context())
	}
}

// BenchmarkNothing looks where nothing has changed, and counts for the metrics.
func BenchmarkNothing(b *testing.B) {
	r, _, _, _ := busy(b)
	for b.Loop() {
		r.pass(b.Context())
		r.Counts()
	}
}

package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// TestAnySequenceConverges asks for versions, good and bad, with any duty and in any
// order, some before others have come about. In the end what is wanted runs, and
// after that nothing is left.
func TestAnySequenceConverges(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			files, option := withFiles(t)
			files.set("ill")
			n := newNode(t, func(n *node) { n.room.MemoryMB, n.wait = 100, 20*time.Millisecond }, option)
			r := rand.New(rand.NewPCG(seed, 0))
			var all []intent.Signed
			for range 80 {
				n.apply(n.any(r, &all, files))
				time.Sleep(time.Duration(r.ExpFloat64() * float64(30*time.Millisecond)))
			}
			end := n.talking("end")
			end.Module.Limits.MemoryMaxMB = 90
			n.push(worker, end)
			seq := n.prev[worker].Seq
			n.await(seq, api.StateRunning)
			n.until("nothing else writes", func() bool {
				return !slices.ContainsFunc(n.set.Tail(worker), func(l string) bool { return l != "end" })
			})
			n.push(worker, nil)
			n.await(seq+1, api.StateRemoved)
			n.push(rival, n.sized(100)) // all that was admitted was given back
			n.await(1, api.StateRunning)
		})
	}
}

// any is any version of the worker, new or not, with any duty.
func (n *node) any(r *rand.Rand, all *[]intent.Signed, files switchable) Want {
	kinds := []func() api.Workload{
		func() api.Workload { return n.talkingBy(r) },
		func() api.Workload { return n.talkingBy(r) },
		func() api.Workload { return n.sized(60, wasmtest.Leave(3)) },
		func() api.Workload { return n.sized(200) },
		func() api.Workload { return n.sized(60, wasmtest.Leave(0)) },
		func() api.Workload { return &api.Component{Module: n.program(wasmtest.Functions())} },
		func() api.Workload { return files.web(n, "hello", "well") },
		func() api.Workload { return files.web(n, "hello", "ill") },
		func() api.Workload { c := n.sized(60); c.Stopped = true; return c },
		func() api.Workload { return nil },
	}
	if len(*all) == 0 || r.IntN(2) == 0 {
		to := kinds[r.IntN(len(kinds))]()
		if c, ok := to.(*api.Component); ok {
			c.Update = &api.Update{Deadline: api.Duration(time.Duration(1+r.IntN(300)) * time.Millisecond)}
			if r.IntN(2) == 0 {
				c.Update.Order = api.StopFirst
			}
		}
		*all = append(*all, n.sign(worker, to))
	}
	duties := []api.Duty{api.DutyRun, api.DutyRun, api.DutyHold, api.DutyKeep, api.DutyNone}
	w := Want{Signed: (*all)[len(*all)-1], Duty: duties[r.IntN(len(duties))], Why: "why", Unfit: r.IntN(8) == 0}
	if r.IntN(4) == 0 {
		w.Signed = (*all)[r.IntN(len(*all))]
	}
	if last := (*all)[r.IntN(len(*all))]; r.IntN(4) == 0 {
		w.Last = &last
	}
	if r.IntN(10) == 0 {
		w.Lost = "nobody asks for it any more"
	}
	return w
}

// talkingBy is one of a few commands that go on.
func (n *node) talkingBy(r *rand.Rand) *api.Component {
	c := n.talking(fmt.Sprint("word", r.IntN(3)))
	c.Module.Limits.MemoryMaxMB = 60
	return c
}

package engine

import (
	"context"
	"fmt"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/wasmtest"
)

// BenchmarkBesideBusy measures a call of a tiny module while guests are busy that never
// yield: 99 of 100 take no longer than p99-us.
func BenchmarkBesideBusy(b *testing.B) {
	e := New(NewCache(cacheDir))
	defer e.MakeRoom()()
	busy, quick := readyIn(b, e, wasmtest.Endless(), 16), readyIn(b, e, wasmtest.Nothing(), 16)
	for _, n := range []int{0, 2, 8, 64} {
		b.Run(fmt.Sprintf("guests=%d", n), func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var running sync.WaitGroup
			for range n {
				running.Go(func() { _ = busy.Run(ctx, Env{}) })
			}
			time.Sleep(200 * time.Millisecond) // until all are busy
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				if err := quick.Run(ctx, Env{}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			stop()
			running.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-us")
		})
	}
}

// pauses are those that the garbage collector has made so far, by their length.
const pauses = "/sched/pauses/total/gc:seconds"

// BenchmarkPauses measures for how long the garbage collector stops the host while guests
// are busy that never yield: 99 of 100 pauses are no longer than p99-ms.
func BenchmarkPauses(b *testing.B) {
	bulk := wasmtest.Bulk()
	e := New(NewCache(cacheDir))
	defer e.MakeRoom()()
	guests := []*Module{
		readyIn(b, e, wasmtest.Endless(), 16), readyIn(b, e, probe, 64),
		readyIn(b, e, bulk["memory.fill"], 256), readyIn(b, e, wasmtest.DeepTree(60), 16),
		readyIn(b, e, bulk["memory.copy"], 256), readyIn(b, e, bulk["table.fill"], 256),
		readyIn(b, e, longCalls()["random_get"].Bytes(), 256), readyIn(b, e, bulk["memory.init"], 256),
	}
	for _, n := range []int{0, 1, 2, 4, 8} {
		b.Run(fmt.Sprintf("guests=%d", n), func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var running sync.WaitGroup
			for _, m := range guests[:n] {
				running.Go(func() { _ = m.Run(ctx, Env{Args: []string{"probe", "loop"}}) })
			}
			time.Sleep(200 * time.Millisecond) // until all are busy
			before := histogram(b)
			for b.Loop() {
				for was := collections(b); collections(b) == was; {
					garbage = make([]byte, 256<<10)
				}
			}
			after := histogram(b)
			stop()
			running.Wait()
			for i := range after.Counts {
				after.Counts[i] -= before.Counts[i]
			}
			b.ReportMetric(quantile(after, 0.5)*1e3, "p50-ms")
			b.ReportMetric(quantile(after, 0.99)*1e3, "p99-ms")
			b.ReportMetric(quantile(after, 1)*1e3, "max-ms")
		})
	}
}

// garbage keeps the compiler from leaving out what is thrown away.
var garbage []byte

func collections(b *testing.B) uint64 {
	b.Helper()
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func histogram(b *testing.B) *metrics.Float64Histogram {
	b.Helper()
	s := []metrics.Sample{{Name: pauses}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// quantile is an upper bound of the q-th quantile of h.
func quantile(h *metrics.Float64Histogram, q float64) float64 {
	total := uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	seen := uint64(0)
	for i, n := range h.Counts {
		if seen += n; n > 0 && float64(seen) >= q*float64(total) {
			return h.Buckets[i+1]
		}
	}
	return 0
}

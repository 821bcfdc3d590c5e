package meter

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// workloads are the programs of testdata/bench, with n such that each takes some 20 ms.
var workloads = map[string]uint64{"fib": 29, "sieve": 1 << 20, "sha256": 20_000, "matmul": 4, "nbody": 40_000, "quicksort": 1 << 16,
	"interpreter": 200_000, "chase": 4 << 20, "mandelbrot": 200}

func workload(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "bench", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loaded is a workload that is ready to run.
type loaded struct {
	ctx    context.Context //nolint:containedctx // of the budget, for as long as the benchmark
	budget *Budget
	run    api.Function
}

func load(t testing.TB, module []byte, metered bool) loaded {
	t.Helper()
	l := loaded{budget: NewBudget(0)}
	l.ctx = WithBudget(context.Background(), l.budget)
	r := wazero.NewRuntime(l.ctx)
	t.Cleanup(func() { r.Close(l.ctx) })
	if metered {
		if err := Define(l.ctx, r); err != nil {
			t.Fatal(err)
		}
		var err error
		if module, err = Instrument(module, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := r.Instantiate(l.ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	if metered {
		l.budget.Add(m)
	}
	l.run = m.ExportedFunction("run")
	return l
}

func (l loaded) time(t testing.TB, n uint64) (result uint64, took time.Duration) {
	t.Helper()
	began := time.Now()
	out, err := l.run.Call(l.ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return out[0], time.Since(began)
}

// TestWorkloads runs each with meters and without: the results are the same.
func TestWorkloads(t *testing.T) {
	for name := range workloads {
		module := workload(t, name)
		plain, _ := load(t, module, false).time(t, 10)
		metered := load(t, module, true)
		if got, _ := metered.time(t, 10); got != plain || metered.budget.Used() == 0 {
			t.Errorf("%s: %d with meters, %d without; %d units", name, got, plain, metered.budget.Used())
		}
	}
}

// BenchmarkOverhead compares each workload with meters and without, by turns, and gives
// the median of the ratios.
func BenchmarkOverhead(b *testing.B) {
	const turns = 15
	product, count := 1.0, 0
	for name, n := range workloads {
		b.Run(name, func(b *testing.B) {
			module := workload(b, name)
			plain, metered := load(b, module, false), load(b, module, true)
			plain.time(b, n)
			metered.time(b, n)
			var ratios []float64
			for b.Loop() {
				ratios = ratios[:0]
				for range turns {
					_, without := plain.time(b, n)
					_, with := metered.time(b, n)
					ratios = append(ratios, float64(with)/float64(without))
				}
			}
			slices.Sort(ratios)
			median := ratios[turns/2]
			b.ReportMetric(median, "x")
			product, count = product*median, count+1
		})
	}
	if count > 0 {
		b.Run("geometric-mean", func(b *testing.B) { b.ReportMetric(math.Pow(product, 1/float64(count)), "x") })
	}
}

// BenchmarkInstrument is of a module with many functions.
func BenchmarkInstrument(b *testing.B) {
	for name := range workloads {
		module := workload(b, name)
		b.Run(fmt.Sprintf("%s-%dB", name, len(module)), func(b *testing.B) {
			b.SetBytes(int64(len(module)))
			for b.Loop() {
				if _, err := Instrument(bytes.Clone(module), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package runnerd

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

const (
	namespace = "realm"
	subsystem = "runnerd"
)

type metrics struct {
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	restarts *prometheus.CounterVec
	compile  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, states func() map[api.State]int) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "calls_total",
			Help: "Calls of functions and requests to components, by workload and result."}, []string{"workload", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "call_seconds",
			Help: "How long they took, from the first byte read to the last written.", Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 14)}, []string{"kind"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "restarts_total",
			Help: "Restarts of commands that failed, by workload."}, []string{"workload"}),
		compile: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "compile_seconds",
			Help: "How long it took to have a program compiled, or found in the cache.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 11)}),
	}
	r.MustRegister(m.calls, m.seconds, m.restarts, m.compile, &workloads{states,
		prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "workloads"), "Workloads of this node, by state.", []string{"state"}, nil)})
	return m
}

// workloads collects how many workloads are in each state.
type workloads struct {
	states func() map[api.State]int
	desc   *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (w *workloads) Describe(ch chan<- *prometheus.Desc) { ch <- w.desc }

// Collect implements [prometheus.Collector].
func (w *workloads) Collect(ch chan<- prometheus.Metric) {
	for state, n := range w.states() {
		ch <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, float64(n), string(state))
	}
}

// timedCompiler measures a compiler.
type timedCompiler struct {
	program.Compiler
	metrics *metrics
}

// Ensure implements [program.Compiler].
func (c *timedCompiler) Ensure(ctx context.Context, wasm []byte) error {
	begun := time.Now()
	err := c.Compiler.Ensure(ctx, wasm)
	c.metrics.compile.Observe(time.Since(begun).Seconds())
	return err
}

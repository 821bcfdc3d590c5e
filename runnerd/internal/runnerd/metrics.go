package runnerd

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/runnerd/internal/program"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
)

const (
	namespace = "realm"
	subsystem = "runnerd"
)

// metrics are the series of this daemon. Those that speak of the node as a whole have
// plain names.
type metrics struct {
	commands  prometheus.Counter
	restarted prometheus.Counter
	calls     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	restarts  *prometheus.CounterVec
	compile   prometheus.Histogram
	fuelAll   prometheus.Counter
	fuel      *prometheus.CounterVec
	cpu       *prometheus.CounterVec
	memory    *prometheus.HistogramVec
	held      *prometheus.GaugeVec
	heldAll   prometheus.Gauge
	executed  *prometheus.CounterVec
	executing prometheus.Histogram
}

// sources are what is counted when somebody asks.
type sources struct {
	states    func() map[api.State]int
	counts    func() reconcile.Counts
	manifests func() map[api.Name]uint64
	jobs      func() (states map[api.JobState]int, queued int)
	gates     []*gate.Gate // of different kinds of workloads
}

func newMetrics(r prometheus.Registerer, from sources) *metrics {
	m := &metrics{
		commands: prometheus.NewCounter(prometheus.CounterOpts{Name: "agent_commands_received_total",
			Help: "Signed intents that this node has accepted and had not seen before."}),
		restarted: prometheus.NewCounter(prometheus.CounterOpts{Name: "agent_restarts_total",
			Help: "Restarts of commands that failed."}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "calls_total",
			Help: "Calls of functions and requests to components, by workload and result."}, []string{"workload", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "call_seconds",
			Help: "How long they took, from the first byte read to the last written, by workload.", Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 14)}, []string{"workload"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "restarts_total",
			Help: "Restarts of commands that failed, by workload."}, []string{"workload"}),
		compile: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "compile_seconds",
			Help: "How long it took to have a program compiled, or found in the cache.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 11)}),
	}
	m.fuelAll = prometheus.NewCounter(prometheus.CounterOpts{Name: "agent_fuel_used_total",
		Help: "Units of fuel that programs have used, counted when a call, request or run ends."})
	m.fuel = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "fuel_total",
		Help: "Units of fuel used, by workload."}, []string{"workload"})
	m.cpu = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "cpu_seconds_total",
		Help: "Processor time used, by workload."}, []string{"workload"})
	m.memory = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "memory_bytes",
		Help: "The most memory, with tables, that a call, request or run has had, by workload.", Buckets: prometheus.ExponentialBuckets(64<<10, 4, 9)}, []string{"workload"})
	m.heldAll = prometheus.NewGauge(prometheus.GaugeOpts{Name: "agent_mem_current_bytes",
		Help: "Memory and tables that the instances of all programs have now."})
	m.held = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: "memory_current_bytes",
		Help: "Memory and tables that instances have now, those that are kept ready too, by workload."}, []string{"workload"})
	m.executed = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: "job_executions_total",
		Help: "Executions of jobs on this node that have ended, by result."}, []string{"result"})
	m.executing = prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "job_execution_seconds",
		Help: "How long they ran, without what came before and after.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 12)})
	r.MustRegister(m.executed, m.executing)
	r.MustRegister(m.fuelAll, m.fuel, m.cpu, m.memory, m.held, m.heldAll)
	r.MustRegister(m.calls, m.seconds, m.restarts, m.compile, m.commands, m.restarted, newGauges(from))
	return m
}

// countExecution counts an execution of a job that has ended.
func (m *metrics) countExecution(rec *api.JobRecord) {
	m.executed.WithLabelValues(string(rec.State)).Inc()
	if !rec.Started.IsZero() {
		m.executing.Observe(rec.Ended.Sub(rec.Started).Seconds())
	}
}

// countRestart counts a restart of a command.
func (m *metrics) countRestart(r api.Ref) {
	m.restarts.WithLabelValues(r.String()).Inc()
	m.restarted.Inc()
}

// account returns what counts the use of a workload.
func (m *metrics) account(r api.Ref) program.Account {
	label := r.String()
	var mu sync.Mutex
	held := int64(0)
	return program.Account{
		Used: func(u engine.Usage) {
			m.fuelAll.Add(float64(u.Fuel))
			m.fuel.WithLabelValues(label).Add(float64(u.Fuel))
			m.cpu.WithLabelValues(label).Add(u.CPU.Seconds())
			m.memory.WithLabelValues(label).Observe(float64(u.Memory))
		},
		Holds: func(bytes int64) {
			m.heldAll.Add(float64(bytes))
			mu.Lock()
			defer mu.Unlock()
			if held += bytes; held == 0 {
				m.held.DeleteLabelValues(label) // else what ends late would bring back a series
				return
			}
			m.held.WithLabelValues(label).Set(float64(held))
		},
	}
}

// forget drops the series of a workload that was removed.
func (m *metrics) forget(r api.Ref) {
	of := prometheus.Labels{"workload": r.String()}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.calls, m.seconds, m.restarts, m.fuel, m.cpu, m.memory} {
		v.DeletePartialMatch(of)
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

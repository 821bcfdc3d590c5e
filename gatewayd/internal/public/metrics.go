package public

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
)

// Metrics are the series of the public side. Those without the prefix realm_ keep
// the names, and the want of labels, that existing dashboards ask for.
type Metrics struct {
	requests prometheus.Counter
	errors   prometheus.Counter
	latency  prometheus.Gauge
	execs    prometheus.Counter
	execTime prometheus.Histogram
	inFlight prometheus.Gauge
	tries    *prometheus.CounterVec
	ejected  prometheus.Counter
}

// NewMetrics registers the series; live tells how many members are connected.
func NewMetrics(r prometheus.Registerer, live *route.Live) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_requests_total", Help: "Requests that the gateway has answered."}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_errors_total", Help: "Requests that ended with a status of 500 or more, or broke off."}),
		latency: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_last_latency_ms", Help: "How long the last request took, in milliseconds."}),
		execs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nebula_edge_exec_total", Help: "Calls of functions."}),
		execTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "nebula_edge_exec_duration_seconds", Help: "How long calls of functions took, as the gateway saw it.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 17)}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realm_gateway_in_flight", Help: "Requests to programs that are being worked on."}),
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realm_gateway_tries_total", Help: "Attempts to have a request answered, by where (here, mesh) and whether a program took it."},
			[]string{"where", "taken"}),
		ejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realm_gateway_ejections_total", Help: "How often a member was not asked any more for a while, as it had lost a request."}),
	}
	peers := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nebula_edge_peers", Help: "Members that are connected, this node not counted.",
	}, func() float64 {
		t, _ := live.Now()
		return float64(t.Peers())
	})
	r.MustRegister(m.requests, m.errors, m.latency, m.execs, m.execTime, m.inFlight, m.tries, m.ejected, peers)
	return m
}

// Tried counts an attempt; it is for [forward.New].
func (m *Metrics) Tried(t forward.Try) {
	where, taken := "mesh", "no"
	if t.Here {
		where = "here"
	}
	if t.Taken {
		taken = "yes"
	}
	m.tries.WithLabelValues(where, taken).Inc()
	if t.Ejected {
		m.ejected.Inc()
	}
}

func (m *Metrics) done(status int, broke bool, took time.Duration) {
	m.requests.Inc()
	if broke || status >= http.StatusInternalServerError {
		m.errors.Inc()
	}
	m.latency.Set(float64(took) / float64(time.Millisecond))
}

func (m *Metrics) execDone(took time.Duration) {
	m.execs.Inc()
	m.execTime.Observe(took.Seconds())
}

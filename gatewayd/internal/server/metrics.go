package server

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the series of all listeners, which have names.
type Metrics struct {
	open    *prometheus.GaugeVec
	closed  *prometheus.CounterVec
	refused *prometheus.CounterVec
}

// NewMetrics registers the series.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "realm_gateway_connections", Help: "Connections of clients, by listener."}, []string{"listener"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realm_gateway_connections_closed_total",
			Help: "Connections that the gateway ended as there were too many: of one address (address), or in all, the one that had waited longest (waiting) or the newest (full)."},
			[]string{"listener", "why"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realm_gateway_refused_total", Help: "Requests whose framing is not allowed."}, []string{"listener"}),
	}
	r.MustRegister(m.open, m.closed, m.refused)
	return m
}

// connMetrics are those of one listener's connections.
type connMetrics struct {
	open                   prometheus.Gauge
	address, waiting, full prometheus.Counter
}

func (m *Metrics) of(name string) connMetrics {
	m.refused.WithLabelValues(name)
	return connMetrics{
		open:    m.open.WithLabelValues(name),
		address: m.closed.WithLabelValues(name, "address"),
		waiting: m.closed.WithLabelValues(name, "waiting"),
		full:    m.closed.WithLabelValues(name, "full"),
	}
}

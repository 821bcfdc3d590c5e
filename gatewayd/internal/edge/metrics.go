package edge

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the series of an Edge.
type Metrics struct{ open prometheus.Gauge }

// NewMetrics registers the series.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "realm_edge_open", Help: "1 while what is public is served here."})}
	r.MustRegister(m.open)
	return m
}

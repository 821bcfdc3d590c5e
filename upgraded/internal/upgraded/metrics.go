package upgraded

import "github.com/prometheus/client_golang/prometheus"

// registerMetrics adds the release of this node, as a label of a constant.
func registerMetrics(r prometheus.Registerer, version string) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "realm", Name: "release_info",
		Help: "Always 1; the label is the release that this node runs.", ConstLabels: prometheus.Labels{"version": version}})
	g.Set(1)
	r.MustRegister(g)
}

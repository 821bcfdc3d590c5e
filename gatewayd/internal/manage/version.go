package manage

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/internal/kit/buildinfo"
)

// RegisterVersion has reg tell which Realm the node runs, as agent_version: always 1,
// with the version in its label, as Prometheus' own build_info series do it.
func RegisterVersion(reg prometheus.Registerer) {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "agent_version", Help: "1, with the version of Realm that runs here as its label."}, []string{"version"})
	v.WithLabelValues(buildinfo.Version).Set(1)
	reg.MustRegister(v)
}

package manage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/realm-mesh/realm/api"
)

const (
	labelDaemon = "daemon"
	// labelExported takes over from a series that has a label daemon of its own, by
	// Prometheus' convention.
	labelExported = "exported_daemon"
)

// plain are series that existing dashboards and scripts read by their bare names.
// Each comes from one daemon alone, so that no label is needed to tell them apart.
var plain = []string{
	"agent_commands_received_total",
	"agent_fuel_used_total",
	"agent_mem_current_bytes",
	"agent_restarts_total",
	"agent_version",
	"components_desired",
	"components_drift",
	"components_running",
	"gateway_errors_total",
	"gateway_last_latency_ms",
	"gateway_requests_total",
	"manifest_version",
	"nebula_edge_exec_duration_seconds",
	"nebula_edge_exec_total",
	"nebula_edge_peers",
}

// merger puts the pages of daemons into one, in which no series comes twice.
type merger struct {
	byName  map[string]*dto.MetricFamily
	seen    map[string]bool // series
	dropped []string
}

// merge returns the families of all pages by name, with the label daemon on every
// series but the [plain] ones, and realm_daemon_up for each page. dropped says in
// words what had to be left out.
func merge(pages []page) (families []*dto.MetricFamily, dropped []string) {
	m := merger{byName: map[string]*dto.MetricFamily{}, seen: map[string]bool{}}
	up := family("realm_daemon_up", "Whether a daemon answers when it is asked for its metrics.", dto.MetricType_GAUGE)
	for _, p := range pages {
		v := 0.0
		if p.up {
			v = 1
		}
		up.Metric = append(up.Metric, &dto.Metric{Label: []*dto.LabelPair{daemonLabel(p.daemon)}, Gauge: &dto.Gauge{Value: &v}})
	}
	m.byName[up.GetName()] = up
	for _, p := range pages {
		for _, f := range p.families {
			m.add(p.daemon, f)
		}
	}
	return slices.SortedFunc(maps.Values(m.byName), func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) }), m.dropped
}

func (m *merger) add(d api.Daemon, f *dto.MetricFamily) {
	into := m.byName[f.GetName()]
	if into == nil {
		into = family(f.GetName(), f.GetHelp(), f.GetType())
		m.byName[f.GetName()] = into
	}
	if into.GetType() != f.GetType() {
		m.dropped = append(m.dropped, fmt.Sprintf("%s of %s is a %s, elsewhere a %s", f.GetName(), d, f.GetType(), into.GetType()))
		return
	}
	for _, s := range f.Metric {
		s.Label = label(d, f.GetName(), s.Label)
		if id := identity(f.GetName(), s.Label); m.seen[id] {
			m.dropped = append(m.dropped, fmt.Sprintf("%s of %s comes twice", id, d))
		} else {
			m.seen[id] = true
			into.Metric = append(into.Metric, s)
		}
	}
}

// label returns the labels of a series of d under the one roof, by name.
func label(d api.Daemon, name string, labels []*dto.LabelPair) []*dto.LabelPair {
	if d == api.Launcher || slices.Contains(plain, name) {
		return labels // the launcher's are about the other daemons, and say so
	}
	for _, l := range labels {
		if l.GetName() == labelDaemon {
			exported := labelExported
			l.Name = &exported
		}
	}
	labels = append(labels, daemonLabel(d))
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return labels
}

func daemonLabel(d api.Daemon) *dto.LabelPair {
	name, value := labelDaemon, string(d)
	return &dto.LabelPair{Name: &name, Value: &value}
}

// identity is a series as its name and labels, which must not come twice.
func identity(name string, labels []*dto.LabelPair) string {
	var b strings.Builder
	b.WriteString(name)
	for _, l := range labels {
		fmt.Fprintf(&b, ",%s=%q", l.GetName(), l.GetValue())
	}
	return b.String()
}

package runnerd

import (
	"github.com/prometheus/client_golang/prometheus"
)

// gauges collects how the workloads of this node stand.
type gauges struct {
	from                               sources
	states, manifests, inside, waiting *prometheus.Desc
	desired, running, drift            *prometheus.Desc
	jobs, queued                       *prometheus.Desc
}

func newGauges(from sources) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &gauges{
		from:      from,
		states:    desc(prometheus.BuildFQName(namespace, subsystem, "workloads"), "Workloads of this node, by state.", "state"),
		manifests: desc("manifest_version", "Version of each manifest that was applied last.", "manifest"),
		jobs:      desc(prometheus.BuildFQName(namespace, subsystem, "jobs"), "Jobs that this node knows of, by state.", "state"),
		queued:    desc(prometheus.BuildFQName(namespace, subsystem, "job_runs_queued"), "Runs of jobs that wait here for room."),
		desired:   desc("components_desired", "Components that this node shall run."),
		running:   desc("components_running", "Components that run or answer on this node, or have ended well, in any version."),
		inside:    desc(prometheus.BuildFQName(namespace, subsystem, "calls_running"), "Calls and requests that are being answered, by workload.", "workload"),
		waiting:   desc(prometheus.BuildFQName(namespace, subsystem, "calls_waiting"), "Calls and requests that wait for their turn, by workload.", "workload"),
		drift:     desc("components_drift", "Components that this node shall run and does not in the version wanted."),
	}
}

// Describe implements [prometheus.Collector].
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.states, g.manifests, g.desired, g.running, g.drift, g.inside, g.waiting, g.jobs, g.queued} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for state, n := range g.from.states() {
		put(g.states, float64(n), string(state))
	}
	for name, version := range g.from.manifests() {
		put(g.manifests, float64(version), string(name))
	}
	for _, at := range g.from.gates {
		for workload, n := range at.Counts() {
			put(g.inside, float64(n.Inside), workload)
			put(g.waiting, float64(n.Waiting), workload)
		}
	}
	jobs, queued := g.from.jobs()
	for state, n := range jobs {
		put(g.jobs, float64(n), string(state))
	}
	put(g.queued, float64(queued))
	c := g.from.counts()
	put(g.desired, float64(c.Desired))
	put(g.running, float64(c.Running))
	put(g.drift, float64(c.Drift))
}

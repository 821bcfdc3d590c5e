package fetch

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what is moved between members.
type Metrics struct {
	in, out   prometheus.Counter
	dropped   prometheus.Counter
	again     prometheus.Counter
	overtaken prometheus.Counter
	stalls    prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels prometheus.Labels) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "realm", Subsystem: "casd_swarm", Name: name, Help: help, ConstLabels: labels})
		r.MustRegister(c)
		return c
	}
	bytes := func(direction string) prometheus.Counter {
		return counter("bytes_total", "Bytes of chunks that members have sent each other, by direction.", prometheus.Labels{"direction": direction})
	}
	return &Metrics{
		in: bytes("in"), out: bytes("out"),
		dropped:   counter("dropped_total", "Members that sent wrong bytes and were not asked again.", nil),
		again:     counter("chunks_again_total", "Chunks that came though they were here by then.", nil),
		overtaken: counter("overtaken_total", "Batches that were ended because others were faster.", nil),
		stalls:    counter("stalls_total", "Batches that were ended because nothing came any more.", nil),
	}
}

// Sent counts bytes that another member was sent.
func (m *Metrics) Sent(n int) { m.out.Add(float64(n)) }

package meshd

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/node"
)

// metrics are the daemon's series.
type metrics struct {
	gossip  *prometheus.CounterVec
	intents *prometheus.CounterVec
	sync    *prometheus.CounterVec
	synced  prometheus.Counter
	streams *prometheus.CounterVec
}

// newMetrics registers them. Gauges are read from the stage of the time when somebody asks.
func newMetrics(r *prometheus.Registry, now func() stage) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "realm", Subsystem: "mesh", Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	m := &metrics{
		gossip:  counter("gossip_messages_total", "Messages of other members, by topic and what became of them.", "topic", "verdict"),
		intents: counter("intents_total", "Intents offered to this node, by the way they came and what became of them.", "by", "result"),
		sync:    counter("sync_rounds_total", "Rounds in which another member was asked for what it has.", "result"),
		streams: counter("stream_requests_total", "HTTP requests over libp2p streams.", "service", "direction"),
		synced:  prometheus.NewCounter(prometheus.CounterOpts{Namespace: "realm", Subsystem: "mesh", Name: "synced_intents_total", Help: "Intents that were learnt by sync."}),
	}
	r.MustRegister(m.synced)
	gauge := func(name, help string, read func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "realm", Subsystem: "mesh", Name: name, Help: help},
			func() float64 { return float64(read()) }))
	}
	gauge("peers_connected", "Members that this node is connected to.", func() int { return now().Status().Peers })
	gauge("intents", "Intents that this node holds.", func() int { return now().Intents() })
	return m
}

func (m *metrics) observer() node.Observer {
	return node.Observer{
		Gossip: func(topic string, v gossip.Verdict) {
			m.gossip.WithLabelValues(topicLabel(topic), v.String()).Inc()
		},
		Intent: func(source string, news bool, err error) {
			m.intents.WithLabelValues(source, intentResult(news, err)).Inc()
		},
		Sync: func(news int, err error) {
			m.sync.WithLabelValues(outcome(err)).Inc()
			m.synced.Add(float64(news))
		},
		Stream: func(s api.Service, inbound bool) {
			direction := "out"
			if inbound {
				direction = "in"
			}
			m.streams.WithLabelValues(string(s), direction).Inc()
		},
	}
}

// topicLabel is the part of a topic's name that does not depend on the realm.
func topicLabel(topic string) string {
	f := strings.Split(topic, "/")
	return f[len(f)-2]
}

func intentResult(news bool, err error) string {
	switch {
	case err != nil:
		return "refused"
	case news:
		return "accepted"
	default:
		return "known"
	}
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

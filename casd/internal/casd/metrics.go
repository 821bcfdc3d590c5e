package casd

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/casd/internal/collect"
	"github.com/realm-mesh/realm/casd/internal/scrub"
	"github.com/realm-mesh/realm/casd/internal/store"
)

type metrics struct {
	puts    *prometheus.CounterVec
	gets    *prometheus.CounterVec
	fetches *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, s *store.Store, c *collect.Collector, sc *scrub.Scrubber, quota int64) metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "realm", Subsystem: "casd", Name: name, Help: help}, []string{"result"})
		r.MustRegister(c)
		return c
	}
	m := measures{r}
	held := func(name, help string, read func(store.Stats) int64) {
		m.gauge(name, help, func() float64 { return float64(read(s.Stats())) })
	}
	held("blobs", "Blobs that are here, whole.", func(st store.Stats) int64 { return st.Blobs })
	held("partial_blobs", "Blobs of which a part is here: they are being fetched, or damaged.", func(st store.Stats) int64 { return st.Partial })
	held("blob_bytes", "Bytes of the blobs that are here, as if no chunk were shared.", func(st store.Stats) int64 { return st.Logical })
	held("chunks", "Chunks that are here.", func(st store.Stats) int64 { return st.Chunks })
	held("chunk_bytes", "Bytes of the chunks that are here.", func(st store.Stats) int64 { return st.Bytes })
	m.counter("corrupt_chunks_total", "Chunks found damaged on this disk.", func() float64 { return float64(s.Stats().Corrupt) })
	m.collector(c, quota)
	m.scrubber(sc)
	return metrics{
		puts:    counter("puts_total", "Blobs that were sent here, by result."),
		gets:    counter("gets_total", "Blobs and chunks that were asked for, by result."),
		fetches: counter("fetches_total", "Blobs that were brought from peers, by result."),
	}
}

// result is the label of how a request ended.
func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "gone"
	}
	switch status(err) {
	case http.StatusNotFound:
		return "not_found"
	case http.StatusInsufficientStorage:
		return "full"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "unreachable"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusPreconditionFailed:
		return "refused"
	}
	return "failed"
}

// measures registers what is read when somebody asks.
type measures struct{ prometheus.Registerer }

func (m measures) gauge(name, help string, read func() float64) {
	m.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "realm", Subsystem: "casd", Name: name, Help: help}, read))
}

func (m measures) counter(name, help string, read func() float64) {
	m.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "realm", Subsystem: "casd", Name: name, Help: help}, read))
}

func (m measures) collector(c *collect.Collector, quota int64) {
	total := func(name, help string, read func(blobs, bytes, refused int64) int64) {
		m.counter(name, help, func() float64 { return float64(read(c.Totals())) })
	}
	m.gauge("quota_bytes", "Bytes that the chunks may grow to.", func() float64 { return float64(quota) })
	m.gauge("full", "1 while the store can keep no more for the realm.", func() float64 {
		if c.Full() {
			return 1
		}
		return 0
	})
	total("collected_blobs_total", "Blobs that were removed because nobody needed them here.", func(blobs, _, _ int64) int64 { return blobs })
	total("collected_bytes_total", "Bytes that this freed.", func(_, bytes, _ int64) int64 { return bytes })
	total("refused_total", "Asks for room in the store that could not be met.", func(_, _, refused int64) int64 { return refused })
}

func (m measures) scrubber(s *scrub.Scrubber) {
	total := func(name, help string, read func(scrub.Stats) int64) {
		m.counter(name, help, func() float64 { return float64(read(s.Stats())) })
	}
	total("scrub_bytes_total", "Bytes of chunks that were read again and checked.", func(st scrub.Stats) int64 { return st.Bytes })
	total("scrub_damaged_total", "Blobs found damaged, by the scrub or by who read them.", func(st scrub.Stats) int64 { return st.Damaged })
	total("scrub_mended_total", "Blobs that were damaged and have been brought from other members.", func(st scrub.Stats) int64 { return st.Mended })
	m.gauge("scrub_lost", "Blobs that are wanted, damaged, and that no member could give at the last try.", func() float64 { return float64(s.Stats().Lost) })
	m.gauge("scrub_completed_timestamp_seconds", "When every chunk had been read last; 0: not yet.", func() float64 {
		if at := s.Stats().Completed; !at.IsZero() {
			return float64(at.Unix())
		}
		return 0
	})
}

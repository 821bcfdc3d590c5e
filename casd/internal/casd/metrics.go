package casd

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/casd/internal/store"
)

type metrics struct {
	puts    *prometheus.CounterVec
	gets    *prometheus.CounterVec
	fetches *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, s *store.Store) metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "realm", Subsystem: "casd", Name: name, Help: help}, []string{"result"})
		r.MustRegister(c)
		return c
	}
	held := func(name, help string, read func(store.Stats) int64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "realm", Subsystem: "casd", Name: name, Help: help},
			func() float64 { return float64(read(s.Stats())) }))
	}
	held("blobs", "Blobs that are here, whole.", func(st store.Stats) int64 { return st.Blobs })
	held("chunks", "Chunks that are here.", func(st store.Stats) int64 { return st.Chunks })
	held("chunk_bytes", "Bytes of the chunks that are here.", func(st store.Stats) int64 { return st.Bytes })
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "realm", Subsystem: "casd", Name: "corrupt_chunks_total",
		Help: "Chunks found damaged on this disk."}, func() float64 { return float64(s.Stats().Corrupt) }))
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
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		return "refused"
	}
	return "failed"
}

package sse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/internal/kit/local"
)

// Limits of a [Hub].
const (
	MaxStreams = 32      // at once
	MaxQueue   = 1024    // events of a stream that wait for its client
	MaxWaiting = 1 << 20 // bytes of them
	beat       = 15 * time.Second
	stall      = 10 * time.Second // for one write
)

// Hub keeps the streams of a listener. [Hub.Run] must run while it is used.
type Hub struct {
	places chan struct{}
	ended  chan struct{} // closed when the daemon stops
	once   sync.Once
	beat   time.Duration
	stall  time.Duration

	dropped prometheus.Counter
}

// NewHub returns a Hub whose series are in reg.
func NewHub(reg prometheus.Registerer) *Hub {
	h := &Hub{places: make(chan struct{}, MaxStreams), ended: make(chan struct{}), beat: beat, stall: stall}
	h.dropped = prometheus.NewCounter(prometheus.CounterOpts{Name: "realm_gateway_streams_dropped_total", Help: "Streams of events whose client was too slow."})
	reg.MustRegister(h.dropped, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "realm_gateway_streams", Help: "Streams of events that are open."},
		func() float64 { return float64(len(h.places)) }))
	return h
}

// Run ends all streams when ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	h.once.Do(func() { close(h.ended) })
	return nil
}

// take has r wait for nothing: it gets one of the places, or an answer that says why not.
func (h *Hub) take(w http.ResponseWriter, r *http.Request) bool {
	// A page of another site cannot read a stream, but it could take all places.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
		local.WriteError(w, http.StatusForbidden, errors.New("a page of another site may not follow this node"))
		return false
	}
	select {
	case <-h.ended:
		w.Header().Set("Retry-After", "1")
		local.WriteError(w, http.StatusServiceUnavailable, errors.New("the node is stopping"))
		return false
	default:
	}
	select {
	case h.places <- struct{}{}:
		return true
	default:
		w.Header().Set("Retry-After", "5")
		local.WriteError(w, http.StatusServiceUnavailable, fmt.Errorf("%d clients follow this node already: end one of them", MaxStreams))
		return false
	}
}

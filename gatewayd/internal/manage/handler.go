package manage

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Node is what the pages are about.
type Node struct {
	Client    *http.Client                                    // to the daemons' sockets
	PS        func(ctx context.Context) (*api.PSReply, error) // asks the launcher
	Connected func() bool                                     // the bus is reachable
	Complete  func() bool                                     // the gateway knows all that the bus holds
	Own       prometheus.Gatherer                             // gatewayd's own series
	Logs      string                                          // folder KIND/NAME.log of the workloads
	Log       *slog.Logger

	Lines   *Lines   // what programs write now
	Streams *sse.Hub // bounds and ends what goes on
	News    *feed.Feed
	API     http.Handler // what is below [api.PathAPI]
}

const index = `GET /metrics                          series of all daemons, for Prometheus
GET /logs                             names of the programs that have logs here
GET /logs?component=NAME&tail=200     last lines of one; NAME __all__: of all, by time
GET /logs?job=JOB                     likewise of a job, wherever it ran
      &since=15m  &grep=RE2  &follow=1    only what is newer, what matches; and what comes, as events
GET /events                           what happens to programs, members and jobs, as it does
      ?type=workload,member,job  &after=ID
GET /api/v1/openapi.json              what there is below /api/v1, for programs: JSON
GET /healthz                          200 when every daemon is ready
GET /readyz                           200 when, besides, each answers and the gateway knows what runs
`

// New returns the handler of the management listener.
func New(n Node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", textType)
		fmt.Fprint(w, index)
	})
	mux.HandleFunc("GET /metrics", n.metrics)
	mux.HandleFunc("GET /logs", n.logs)
	mux.HandleFunc("GET /events", n.events)
	if n.API != nil {
		mux.Handle(api.PathAPI+"/", n.API)
	}
	mux.HandleFunc("GET /healthz", n.health)
	mux.HandleFunc("GET /readyz", n.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		local.WriteError(w, http.StatusNotFound, fmt.Errorf("%.20s %.200s: there is nothing here; GET / lists what there is", r.Method, r.URL.Path))
	})
	return private(mux)
}

// private has browsers neither keep what next answers nor show it to other sites.
func private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

const textType = "text/plain; charset=utf-8"

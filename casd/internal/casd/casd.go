package casd

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/fetch"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// requester asks other daemons of the node; [bus.Conn] is one. It asks again
// while the other side is away, until ctx ends.
type requester interface {
	RequestRetry(ctx context.Context, subject string, req any, reply api.Validator) error
}

// parts are what the daemon is made from.
type parts struct {
	cfg     Config
	dir     string // of the store
	bus     requester
	client  *http.Client // reaches meshd
	mux     *http.ServeMux
	metrics prometheus.Registerer
	ready   func(ctx context.Context, note string) error
	log     *slog.Logger
}

// Daemon is casd, wired.
type Daemon struct {
	store    *store.Store
	announce *announcer
	ready    func(ctx context.Context, note string) error
}

// New wires the daemon.
func New(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
	return build(parts{cfg: DefaultConfig(), dir: env.Home.State(api.Casd), bus: env.Bus, client: env.Client,
		mux: env.Mux, metrics: env.Metrics, ready: env.Ready, log: env.Log}), nil
}

func build(p parts) *Daemon {
	blobs := store.New(p.dir, p.log, nil)
	announce := newAnnouncer(p.bus, blobs.Blobs, p.cfg.Announce, p.log)
	e := &endpoints{
		store:    blobs,
		fetcher:  fetch.New(p.cfg.Fetch, blobs, providers(p.bus, p.cfg.Ask), p.client, p.log),
		announce: announce.add,
		metrics:  newMetrics(p.metrics, blobs),
		idle:     p.cfg.Idle,
		log:      p.log,
	}
	e.register(p.mux)
	return &Daemon{store: blobs, announce: announce, ready: p.ready}
}

// Run recovers the store and serves until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.store.Recover(); err != nil {
		return err
	}
	has := d.store.Stats()
	return task.Run(ctx, d.announce.run, func(ctx context.Context) error {
		return d.ready(ctx, fmt.Sprintf("%d blobs, %d MiB", has.Blobs, has.Bytes>>20))
	})
}

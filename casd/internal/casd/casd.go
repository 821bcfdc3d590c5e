package casd

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/collect"
	"github.com/realm-mesh/realm/casd/internal/keep"
	"github.com/realm-mesh/realm/casd/internal/pins"
	"github.com/realm-mesh/realm/casd/internal/scrub"
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
	bucket  func(ctx context.Context, name string) (keep.Watcher, error)
	needs   needs // nil: those that meshd tells
	mux     *http.ServeMux
	metrics prometheus.Registerer
	ready   func(ctx context.Context, note string) error
	log     *slog.Logger
}

// Daemon is casd, wired.
type Daemon struct {
	store     *store.Store
	pins      *pins.Pins
	keeper    *keep.Keeper // nil: a test knows the realm's needs
	collector *collect.Collector
	scrubber  *scrub.Scrubber
	announce  *announcer
	members   *members
	ready     func(ctx context.Context, note string) error
}

// New wires the daemon.
func New(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
	cfg, dir := DefaultConfig(), env.Home.State(api.Casd)
	cfg.Upload, cfg.Download = env.Config.Upload(), env.Config.Download()
	var err error
	if cfg.Quota, err = env.Config.StorageQuota(dir); err != nil {
		return nil, err
	}
	env.ReceiveFiles = true
	bucket := func(ctx context.Context, name string) (keep.Watcher, error) { return env.Bus.Bucket(ctx, name) }
	return build(parts{cfg: cfg, dir: dir, bus: env.Bus, client: env.Client, bucket: bucket,
		mux: env.Mux, metrics: env.Metrics, ready: env.Ready, log: env.Log}), nil
}

// room is what the store asks for room: a collector, which is made from the store.
type room struct{ *collect.Collector }

func build(p parts) *Daemon {
	d := &Daemon{ready: p.ready}
	var asked room
	d.store = store.New(p.dir, p.log, &asked)
	d.pins = pins.New(filepath.Join(p.dir, "pins"), p.log)
	d.announce = newAnnouncer(p.bus, d.store.Blobs, func() bool { return d.collector.Full() }, p.cfg.Announce, p.log)
	d.members = newMembers(p, d.store, d.announce.add)
	if p.needs == nil {
		d.keeper = keep.New(keep.DefaultConfig(filepath.Join(p.dir, "keep")), d.keepParts(p))
		d.keeper.Register(p.mux)
		p.needs = d.keeper
	}
	d.collector = collect.New(collect.Config{Dir: p.dir, Quota: p.cfg.Quota, Look: p.cfg.Look, Confirm: p.cfg.Confirm}, d.store, p.needs, d.pins, p.log)
	asked.Collector = d.collector
	d.scrubber = scrub.New(d.scrubConfig(p), d.store, p.log)
	d.store.OnDamage(d.damaged)
	d.serve(p)
	return d
}

// serve registers what the daemon answers to.
func (d *Daemon) serve(p parts) {
	e := &endpoints{
		store:    d.store,
		fetcher:  d.members.fetcher,
		announce: d.announce.add,
		vouch:    p.needs.Vouch,
		metrics:  newMetrics(p.metrics, d.store, d.collector, d.scrubber, p.cfg.Quota),
		idle:     p.cfg.Idle,
		log:      p.log,
	}
	e.register(p.mux)
	d.members.register(p.mux)
	files{e}.register(p.mux)
	(&storage{endpoints: e, collector: d.collector, scrubber: d.scrubber, needs: p.needs}).register(p.mux)
}

func (d *Daemon) keepParts(p parts) keep.Parts {
	open := func(name string) func(context.Context) (keep.Watcher, error) {
		return func(ctx context.Context) (keep.Watcher, error) { return p.bucket(ctx, name) }
	}
	info := func(blob api.Digest) (api.BlobInfo, error) {
		idx, err := d.store.Index(blob)
		return idx.BlobInfo, err
	}
	return keep.Parts{
		Has:   d.store.Has,
		Info:  info,
		Fetch: d.members.fetcher.FetchLow, Announce: d.announce.add, Providers: providers(p.bus, p.cfg.Ask), Client: p.client,
		Peers: open(api.BucketPeers), Workloads: open(api.BucketWorkloads), Metrics: p.metrics, Log: p.log,
	}
}

func (d *Daemon) scrubConfig(p parts) scrub.Config {
	return scrub.Config{
		File: filepath.Join(p.dir, "scrub.json"), Period: p.cfg.Scrub.Period, Rate: p.cfg.Scrub.Rate, Retry: p.cfg.Scrub.Retry, Lately: p.cfg.Scrub.Lately,
		Fetch: func(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error) {
			info, err := d.members.fetcher.Fetch(ctx, blob, size)
			if err == nil {
				d.announce.add(blob)
			}
			return info, err
		},
		Wanted: func(blob api.Digest) bool { return d.pins.Has(blob) || p.needs.Needed(blob) },
		Pinned: d.pins.All,
	}
}

// damaged has blobs brought again that turned out damaged where they were read: the
// scrubber tries at once, the keeper goes on trying for as long as the realm needs them.
func (d *Daemon) damaged(blobs []api.Digest) {
	d.scrubber.Met(blobs)
	if d.keeper != nil {
		d.keeper.Recheck()
	}
}

// Run recovers what is on the disk and serves until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.load(); err != nil { //nolint:contextcheck // what a crash has left is cleared away whole
		return err
	}
	has := d.store.Stats()
	tasks := []func(context.Context) error{d.announce.run, d.members.run, d.scrubber.Run,
		func(ctx context.Context) error {
			return d.collector.Run(ctx, func(bool) { d.announce.fullChanged() })
		},
		func(ctx context.Context) error {
			return d.ready(ctx, fmt.Sprintf("%d blobs, %d MiB", has.Blobs, has.Bytes>>20))
		},
	}
	if d.keeper != nil {
		tasks = append(tasks, d.keeper.Run)
	}
	return task.Run(ctx, tasks...)
}

// load finds out what is on the disk.
func (d *Daemon) load() error {
	if err := d.store.Recover(); err != nil {
		return err
	}
	if err := d.pins.Load(); err != nil {
		return err
	}
	d.scrubber.Load()
	if d.keeper == nil {
		return nil
	}
	return d.keeper.Load()
}

package gatewayd

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/apiv1"
	"github.com/realm-mesh/realm/gatewayd/internal/edge"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/hostcheck"
	"github.com/realm-mesh/realm/gatewayd/internal/manage"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/seen"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/rotate"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trace"
)

const stopGrace = 4 * time.Second // for requests in flight

// Daemon is gatewayd.
type Daemon struct {
	env     *daemon.Env
	book    *route.Book
	live    *route.Live
	public  *public.Handler
	manage  http.Handler
	open    http.Handler // what is behind metrics_listen
	listens *server.Metrics
	lines   *manage.Lines
	streams *sse.Hub
	news    *feed.Feed
	tracer  *trace.Tracer // nil: nothing is traced
	seen    *seen.Seen
	access  *rotate.File // nil: there is no access log
	edge    *edge.Edge
	intents *intents
}

// New wires the daemon into env and starts nothing.
func New(ctx context.Context, env *daemon.Env) (daemon.Daemon, error) {
	key, err := keys.Read(env.Home.NodeKey())
	if err != nil {
		return nil, fmt.Errorf("learn this node's id: %w", err)
	}
	book := route.NewBook(peerOf(key))
	live := route.NewLive(book.Table(time.Now()))
	metrics := public.NewMetrics(env.Metrics, live)
	sender := forward.New(env.Client.Transport, live, metrics.Tried)
	d := &Daemon{
		env: env, book: book, live: live,
		public: public.New(sender, live, metrics, env.Log), listens: server.NewMetrics(env.Metrics),
	}
	manage.RegisterVersion(env.Metrics)
	d.lines = manage.NewLines(env.Bus.Subscribe)
	d.streams, d.news = sse.NewHub(env.Metrics), feed.New(time.Now)
	node := manage.Node{
		Client: env.Client, PS: d.ps, Connected: env.Bus.Connected, Complete: d.knows,
		Own: env.Metrics, Logs: env.Home.WorkloadLogs(), Log: env.Log,
		Lines: d.lines, Streams: d.streams, News: d.news,
		API: apiv1.New(apiv1.Node{Bus: env.Bus, Client: env.Client, Live: live, News: d.news, Log: env.Log}),
	}
	d.manage, d.open = manage.New(node), manage.NewMetrics(node)
	if err := d.watch(ctx, sender, peerOf(key)); err != nil {
		return nil, err
	}
	if d.intents, err = newIntents(env); err != nil {
		return nil, err
	}
	// Strangers wait for places of their own.
	d.edge = newEdge(env, d.intents.roles(peerOf(key)), public.New(sender, live, metrics, env.Log), d.listens, d.seen)
	return d, nil
}

// watch has what the gateway is asked be seen, as far as the settings say so.
func (d *Daemon) watch(ctx context.Context, sender *forward.Sender, self api.PeerID) (err error) {
	if d.tracer, err = trace.New(ctx, d.env.Config, api.Gatewayd, self, d.env.Log); err != nil {
		return err
	}
	sender.Trace(d.tracer)
	d.seen = seen.New(d.tracer, nil)
	if d.env.Config.AccessLog {
		d.access = rotate.New(d.env.Home.AccessLog(), disk.ReserveBulk)
		d.seen = seen.New(d.tracer, d.access)
	}
	return nil
}

// knows reports whether the table began from all that the bus holds.
func (d *Daemon) knows() bool {
	t, _ := d.live.Now()
	return t.Complete()
}

// peerOf is the peer id of a node's key.
func peerOf(key ed25519.PrivateKey) api.PeerID {
	pub, _ := key.Public().(ed25519.PublicKey) // what an ed25519.PrivateKey has
	return keys.Peer(pub)
}

// Run listens, learns what runs where, reports ready, and serves until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	on, err := listenAll(ctx, d.env.Config)
	if err != nil {
		return err
	}
	defer on.close() // again after serving: harmless
	d.routes(d.env.Mux)
	if d.access != nil {
		defer d.access.Close()
	}
	defer d.intents.close()
	w := newWatch(d.env.Bus, d.book, d.live, d.env.Log, d.news, func() {
		d.lines.Interrupted()
		d.news.Interrupted()
	})
	return task.Run(ctx, d.tracer.Run,
		w.facts, w.peers, w.records, w.programs, w.bind, d.streams.Run,
		func(ctx context.Context) error { return d.intents.run(ctx, d.edge.Wanted) },
		d.edge.Run,
		func(ctx context.Context) error {
			return d.serve(ctx, "programs", on.programs, d.seen.Handler("programs", false, hostcheck.Guard(d.public)))
		},
		func(ctx context.Context) error {
			return d.serve(ctx, "management", on.management, hostcheck.Guard(d.manage))
		},
		func(ctx context.Context) error { return d.serveOpen(ctx, on.metrics) },
		func(ctx context.Context) error {
			if !w.wait(ctx) {
				return nil
			}
			if err := d.env.Ready(ctx, on.String()); ctx.Err() == nil {
				return err
			}
			return nil // it is to stop already
		})
}

func (d *Daemon) serve(ctx context.Context, name string, ln net.Listener, h http.Handler) error {
	return server.New(server.Config{Name: name, Handler: h, Metrics: d.listens, Log: d.env.Log}).Serve(ctx, ln, stopGrace)
}

// serveOpen serves what all may read who reach ln, under whatever name; a node that has
// nothing of it, nil, is done.
func (d *Daemon) serveOpen(ctx context.Context, ln net.Listener) error {
	if ln == nil {
		return nil
	}
	return d.serve(ctx, "metrics", ln, d.open)
}

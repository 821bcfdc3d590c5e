package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/internal/kit/ingress"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/wanted"
)

const (
	stopGrace = 4 * time.Second // for requests in flight
	// perAddress is how many connections one address may have. Those of a network behind
	// one, and of a balancer, are more than those of a browser, which opens six.
	perAddress = 512
)

// retryEvery is how long after listeners could not be opened they are tried again.
var retryEvery = 10 * time.Second

// Config says what an Edge works with.
type Config struct {
	// IsEdge says whether this node has the role now.
	IsEdge func() bool
	// HTTP is where HTTP is served: the components, or with Certs where they are.
	HTTP string
	// HTTPS is where they are served with Certs.
	HTTPS   string
	Certs   Certs                           // nil: there is no TLS
	Listen  ListenFunc                      // opens HTTP and HTTPS
	Handler *public.Handler                 // of the Edge's own: strangers take no place of the node's people
	Listens *server.Metrics                 // of the listeners
	Opened  func(addr []net.Addr)           // is told where it is open; nil: nobody is
	See     func(http.Handler) http.Handler // notes what is asked and answered; nil: nobody does
	Log     *slog.Logger
}

// ListenFunc opens an address of the setting name.
type ListenFunc func(ctx context.Context, addr, name string) (net.Listener, error)

// Edge is the public listeners of a node. [Edge.Wanted] is for one goroutine.
type Edge struct {
	cfg     Config
	table   atomic.Pointer[ingress.Table]
	metrics *Metrics

	all map[api.Name]ingress.Component

	mu      sync.Mutex
	open    bool          // it is to be
	changed chan struct{} // closed when open is otherwise
	news    chan struct{} // closed when the table is another
}

// New returns an Edge that is closed and knows of nothing.
func New(cfg Config, m *Metrics) *Edge {
	e := &Edge{cfg: cfg, metrics: m, all: map[api.Name]ingress.Component{}, changed: make(chan struct{}), news: make(chan struct{})}
	e.table.Store(ingress.New(nil))
	return e
}

// Wanted takes in what signed intents say.
func (e *Edge) Wanted(c wanted.Change) {
	news := false
	for _, w := range c.Wants {
		if w.Kind == api.KindComponent {
			news = e.take(w) || news
		}
	}
	if news {
		e.publish(ingress.New(slices.Collect(maps.Values(e.all))))
	}
	e.set(e.cfg.IsEdge() && !e.table.Load().Empty())
}

// take reports whether what is public is otherwise by w.
func (e *Edge) take(w wanted.Want) bool {
	was, had := e.all[w.Name]
	is, ok := publicOf(w)
	if !ok {
		delete(e.all, w.Name)
		return had
	}
	e.all[w.Name] = is
	return !had || is != was
}

func publicOf(w wanted.Want) (c ingress.Component, ok bool) {
	if w.Lost != "" || w.Tombstone {
		return c, false // nobody has a say in it any more
	}
	body, err := w.Workload()
	if component, is := body.(*api.Component); err == nil && is {
		return ingress.Of(w.Name, component)
	}
	return c, false
}

// publish makes t the table.
func (e *Edge) publish(t *ingress.Table) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.table.Store(t)
	close(e.news)
	e.news = make(chan struct{})
}

// public is [Public].
func (e *Edge) public() (*ingress.Table, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.table.Load(), e.news
}

func (e *Edge) set(open bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open != open {
		e.open = open
		close(e.changed)
		e.changed = make(chan struct{})
	}
}

func (e *Edge) now() (open bool, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open, e.changed
}

// Run opens and closes the listeners until ctx ends. It returns nil: a node whose public
// ports are taken serves its own people, and tries again.
func (e *Edge) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		open, changed := e.now()
		var again <-chan time.Time
		if open {
			err := e.serve(ctx, changed)
			if still, _ := e.now(); err == nil || ctx.Err() != nil || !still {
				continue
			}
			e.cfg.Log.Error("what is public cannot be served; it is tried again", "after", retryEvery, telemetry.Error(err))
			again = time.After(retryEvery)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
	return nil
}

// serve answers until ctx ends or it is to be closed.
func (e *Edge) serve(ctx context.Context, changed <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, addrs, err := e.parts(ctx)
	if err != nil {
		return err
	}
	e.cfg.Log.Info("what is public is served", "addresses", fmt.Sprint(addrs))
	if e.cfg.Opened != nil {
		e.cfg.Opened(addrs)
	}
	e.metrics.open.Set(1)
	defer e.metrics.open.Set(0)
	parts = append(parts, func(ctx context.Context) error {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
		return nil
	})
	err = task.Run(ctx, parts...)
	e.cfg.Log.Info("nothing public is served any more")
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // requests that did not finish in time
	}
	return err
}

// parts are what runs while it is open.
func (e *Edge) parts(ctx context.Context) (parts []func(context.Context) error, addrs []net.Addr, err error) {
	add := func(name, addr, setting string, cfg server.Config) error {
		ln, err := e.cfg.Listen(ctx, addr, setting)
		if err != nil {
			return err
		}
		cfg.Name, cfg.PerAddress, cfg.Metrics, cfg.Log = name, perAddress, e.cfg.Listens, e.cfg.Log
		addrs = append(addrs, ln.Addr())
		parts = append(parts, func(ctx context.Context) error { return server.New(cfg).Serve(ctx, ln, stopGrace) })
		return nil
	}
	see := e.cfg.See
	if see == nil {
		see = func(h http.Handler) http.Handler { return h }
	}
	defer func() {
		if err != nil { // nobody serves those that are open
			closed, cancel := context.WithCancel(ctx)
			cancel()
			err = errors.Join(err, task.Run(closed, parts...))
		}
	}()
	if e.cfg.Certs == nil {
		err = add("edge", e.cfg.HTTP, "--edge-listen", server.Config{Handler: see(http.HandlerFunc(e.handle))})
		return parts, addrs, err
	}
	tls, err := e.cfg.Certs.Begin(e.public)
	if err != nil {
		return nil, nil, err
	}
	parts = append(parts, tls.Run)
	if err = add("edge-tls", e.cfg.HTTPS, "--edge-tls-listen", server.Config{Handler: see(http.HandlerFunc(e.handle)), TLS: tls.Config}); err != nil {
		return parts, addrs, err
	}
	err = add("edge", e.cfg.HTTP, "--edge-listen", server.Config{Handler: tls.Plain(redirect(addrs[0]))})
	return parts, addrs, err
}

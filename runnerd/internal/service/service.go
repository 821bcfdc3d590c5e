// Package service hands requests to the ports on which services listen: jobs of this node
// that are kept up. Connections are kept, one set for each execution and port, and end with
// it; an upgrade, such as to WebSocket, passes.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

const (
	dialTimeout = 2 * time.Second
	firstByte   = 2 * time.Minute // of an answer
	idleTimeout = 30 * time.Second
	idleEach    = 64 // connections of one execution and port
	places      = 1024
	share       = 512 // of the places, for one service
	queue       = 1024
	patience    = 5 * time.Second
)

// Jobs is what is executed here: [jobs.Manager].
type Jobs interface {
	Serving(job api.Name) ([]jobs.Serving, error)
}

// Handler answers [api.RouteService].
type Handler struct {
	jobs      Jobs
	gate      *gate.Gate
	transport *http.Transport
	log       *slog.Logger
	turn      atomic.Uint64

	mu    sync.Mutex
	ports map[string]port // by the host that stands for them in URLs
}

// port is one of an execution.
type port struct {
	jobs.Serving
	name api.Name
}

// New returns a Handler. Close ends its connections.
func New(j Jobs, log *slog.Logger) *Handler {
	h := &Handler{jobs: j, log: log, ports: map[string]port{},
		gate: gate.New(gate.Config{Places: places, Share: share, Queue: queue, Patience: patience})}
	h.transport = &http.Transport{
		DialContext:           h.dial,
		MaxIdleConnsPerHost:   idleEach,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: firstByte,
		DisableCompression:    true,
	}
	return h
}

// Gate bounds how much is under way.
func (h *Handler) Gate() *gate.Gate { return h.gate }

// Close ends the connections that nobody uses.
func (h *Handler) Close() { h.transport.CloseIdleConnections() }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	job, err := api.ParseName(r.PathValue("job"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	all, err := h.jobs.Serving(job)
	if err != nil {
		notAccepted(w, job, err)
		return
	}
	leave, err := h.gate.Enter(r.Context(), string(job))
	if err != nil {
		notAccepted(w, job, err)
		return
	}
	defer leave()
	to := all[h.turn.Add(1)%uint64(len(all))]
	host := h.host(port{to, api.Name(r.PathValue("port"))})
	_ = http.NewResponseController(w).EnableFullDuplex() // a program may answer while it reads
	h.proxy(host, job, r).ServeHTTP(w, r)
}

// proxy passes one request on.
func (h *Handler) proxy(host string, job api.Name, r *http.Request) *httputil.ReverseProxy {
	mount := r.Header.Get(api.HeaderPrefix)
	return &httputil.ReverseProxy{
		Transport: h.transport,
		// What a program writes is seen at once.
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL = h.target(host, p.In)
			p.Out.Host = p.In.Host
			p.Out.Trailer = p.In.Trailer // filled in while the body is read
			for name, v := range p.In.Header {
				if strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" {
					p.Out.Header[name] = v // the gateway wrote it
				}
			}
			local.DropOwn(p.Out.Header)
		},
		ModifyResponse: func(resp *http.Response) error {
			local.DropOwn(resp.Header)
			if to := resp.Header.Get("Location"); to != "" && mount != "" {
				resp.Header.Set("Location", exchange.Below(mount, to))
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { h.fail(w, r, job, err) },
	}
}

// target is the address of a request below [api.RouteService], as the program sees it.
func (h *Handler) target(host string, r *http.Request) *url.URL {
	u := &url.URL{Scheme: "http", Host: host, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	base := api.PathService(api.Name(r.PathValue("job")), api.Name(r.PathValue("port")))
	u.Path = strings.TrimPrefix(r.URL.Path, base)
	if r.URL.RawPath != "" {
		u.RawPath = strings.TrimPrefix(r.URL.RawPath, base)
	}
	return u
}

// fail tells why there is no answer of the program.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, job api.Name, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the caller has gone
	}
	h.log.Debug("a service did not answer", telemetry.KeyWorkload, "job/"+string(job), telemetry.Error(err))
	var not *dialError
	var late net.Error
	switch {
	case errors.As(err, &not):
		notAccepted(w, job, not.error)
	case errors.As(err, &late) && late.Timeout():
		local.WriteError(w, http.StatusGatewayTimeout, fmt.Errorf("service %s has not begun to answer within %v", job, firstByte))
	default:
		local.WriteError(w, http.StatusBadGateway, fmt.Errorf("service %s broke off before an answer: see realm job logs %s", job, job))
	}
}

// notAccepted answers that the program has seen nothing of a request.
func notAccepted(w http.ResponseWriter, job api.Name, err error) {
	status, value := http.StatusServiceUnavailable, "1"
	if errors.Is(err, jobs.ErrNoService) {
		status, value = http.StatusNotFound, api.NotAcceptedUnknown
	} else {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set(api.HeaderNotAccepted, value)
	local.WriteError(w, status, fmt.Errorf("service %s: %w", job, err))
}

// host stands for a port of an execution in URLs, so that connections are kept for it.
func (h *Handler) host(p port) string {
	key := fmt.Sprintf("%s.%s.%d.%s", p.Root.String()[:20], p.Run, p.Epoch, p.name)
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.ports[key]; !ok {
		if len(h.ports) >= places {
			clear(h.ports) // most have ended; a request under way has dialled, or is told to come again
		}
		h.ports[key] = p
	}
	return key
}

// dialError says that no connection to the program came about.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

func (h *Handler) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	key, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	p, ok := h.ports[key]
	h.mu.Unlock()
	if !ok {
		return nil, &dialError{jobs.ErrNotReady}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := p.Dial(ctx, p.name)
	if err != nil {
		return nil, &dialError{err}
	}
	return c, nil
}

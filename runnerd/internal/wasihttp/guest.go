package wasihttp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

// errLingers ends a guest that goes on after its response, where too many do.
var errLingers = errors.New("too many instances go on after their responses")

// guest is the instance that answers a request.
type guest struct {
	program *Program
	ctx     context.Context //nolint:containedctx // of the guest, which may outlive the request
	stop    context.CancelCauseFunc
	cancel  context.CancelFunc
	release func()
	env     engine.Env
	streams [2]*logs.Writer

	mu    sync.Mutex
	over  bool
	place bool // it has one of those that linger
}

func (p *Program) guest(r *http.Request) *guest {
	g := &guest{program: p, env: p.env, release: p.Linger()}
	ctx, cancel := engine.WithDeadline(context.WithoutCancel(r.Context()), p.deadline)
	g.cancel = cancel
	g.ctx, g.stop = context.WithCancelCause(ctx)
	g.streams = [2]*logs.Writer{p.Log.Writer(logs.Stdout), p.Log.Writer(logs.Stderr)}
	g.env.Stdout, g.env.Stderr = g.streams[0], g.streams[1]
	return g
}

// linger lets the guest go on after its response, if few do.
func (g *guest) linger() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return
	}
	select {
	case g.program.lingering <- struct{}{}:
		g.place = true
	default:
		g.stop(errLingers)
	}
}

// ended is called when the guest has, in its goroutine.
func (g *guest) ended(error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.place {
		<-g.program.lingering
	}
	g.stop(nil)
	g.cancel()
	for _, s := range g.streams {
		s.Flush()
	}
	g.release()
}

// below makes r what the program sees: with the path below its mount. It stays the same
// request, in which net/http notes the trailers of its body.
func (p *Program) below(r *http.Request, path string, body *exchange.Body) *http.Request {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
	}
	if p.mount != "" {
		r.URL = &url.URL{Path: "/" + path, RawPath: exchange.RawPath(r.URL.EscapedPath()), RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	}
	return r
}

// response is what a program answers with, as the outside is to see it.
type response struct {
	http.ResponseWriter
	mount string
}

// Unwrap is for [http.ResponseController].
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (r *response) WriteHeader(status int) {
	if status < http.StatusOK {
		r.ResponseWriter.WriteHeader(status)
		return
	}
	h := r.Header()
	for name := range h {
		if strings.HasPrefix(name, "Realm-") {
			delete(h, name) // not a program's to say
		}
	}
	if to := h.Get("Location"); r.mount != "" && to != "" {
		h.Set("Location", exchange.Below(r.mount, to))
	}
	r.ResponseWriter.WriteHeader(status)
}

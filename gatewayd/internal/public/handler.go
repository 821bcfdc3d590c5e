package public

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Limits of the handler.
const (
	MaxCalls = 1024    // requests to programs that are worked on at once
	MaxShare = 512     // of them, to one program
	MaxQueue = 1024    // requests that wait to be worked on, for up to [forward.Patience]
	MaxBody  = 1 << 30 // bytes of a request to a component
)

// Handler answers all paths of the public listener. It is safe for use by several
// goroutines.
type Handler struct {
	sender  *forward.Sender
	live    *route.Live
	metrics *Metrics
	log     *slog.Logger
	origin  *http.CrossOriginProtection
	gate    *gate.Gate
	buffers bufferPool
}

// New returns a Handler that has requests answered by sender and knows by live what
// there is.
func New(sender *forward.Sender, live *route.Live, m *Metrics, log *slog.Logger) *Handler {
	return &Handler{
		sender: sender, live: live, metrics: m, log: log,
		origin: http.NewCrossOriginProtection(),
		gate:   gate.New(gate.Config{Places: MaxCalls, Share: MaxShare, Queue: MaxQueue, Patience: forward.Patience}),
	}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.Watch(w, r, h.dispatch) }

// Watch has next answer r, cuts a client that is too slow, and counts the request.
func (h *Handler) Watch(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	begun := time.Now()
	c := guard(w, r, ordinary)
	defer func() {
		c.end()
		p := recover() // an answer that broke off; the server cuts the connection
		h.metrics.done(c.status, p != nil && r.Context().Err() == nil, time.Since(begun))
		if p != nil {
			panic(p)
		}
	}()
	next(c, r)
}

func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request) {
	path, rooted := strings.CutPrefix(r.URL.EscapedPath(), "/")
	name, rest, slash := strings.Cut(path, "/")
	switch {
	case !rooted || r.Method == http.MethodConnect:
		local.WriteError(w, http.StatusBadRequest, errors.New("want a path: this is no proxy"))
	case path == "":
		h.index(w, r)
	case path == "exec":
		h.exec(w, r)
	case path == "functions":
		h.functions(w, r)
	case path == "peers":
		h.peers(w, r)
	default:
		h.component(w, r, name, rest, slash)
	}
}

// take waits until one request more to ref may be worked on; when it may not it has
// answered. release must be called.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, ref api.Ref) (release func(), ok bool) {
	return h.takeOr(local.WriteError, w, r, ref)
}

func (h *Handler) takeOr(fail FailFunc, w http.ResponseWriter, r *http.Request, ref api.Ref) (release func(), ok bool) {
	leave, err := h.gate.Enter(r.Context(), ref.String())
	if err != nil {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // nobody is there to read
		}
		w.Header().Set("Retry-After", retrySoon)
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("%s %q: %w", ref.Kind, ref.Name, err))
		return nil, false
	}
	h.metrics.inFlight.Inc()
	return func() {
		h.metrics.inFlight.Dec()
		leave()
	}, true
}

// allow answers requests with another method; it returns false for these.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	local.WriteError(w, http.StatusMethodNotAllowed, fmt.Errorf("%.20s %s: want %s", r.Method, r.URL.Path, strings.Join(methods, " or ")))
	return false
}

// has reports whether anything is known of r.
func (h *Handler) has(r api.Ref) bool {
	t, _ := h.live.Now()
	return len(t.Replicas(r)) > 0
}

package apiv1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/feed"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Bounds of the answers.
const (
	maxAtOnce = 16
	timeout   = 10 * time.Second
	maxLines  = 10_000
)

// Node is what is reported about.
type Node struct {
	Bus    *bus.Conn
	Client *http.Client // to the daemons' sockets
	Live   *route.Live
	News   *feed.Feed
	Log    *slog.Logger
}

// New returns the handler of all paths below [api.PathAPI].
func New(n Node) http.Handler {
	mux := http.NewServeMux()
	places := make(chan struct{}, maxAtOnce)
	for _, r := range table() {
		mux.HandleFunc("GET "+api.PathAPI+r.path, func(w http.ResponseWriter, req *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				n.answer(w, req, &r)
			default:
				w.Header().Set("Retry-After", "1")
				refuse(w, http.StatusServiceUnavailable, errors.New("too many ask at once: try again in a second"))
			}
		})
	}
	text := document()
	mux.HandleFunc("GET "+api.PathAPI+pathDocument, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // fails only when the client has gone
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, errors.New("everything here is only read: use GET; to change things use the realm command"))
			return
		}
		refuse(w, http.StatusNotFound, fmt.Errorf("%.200s: there is nothing here; GET %s%s lists what there is", req.URL.Path, api.PathAPI, pathDocument))
	})
	return mux
}

// answer checks a request by its route, and answers it.
func (n *Node) answer(w http.ResponseWriter, req *http.Request, r *endpoint) {
	a, err := r.read(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	out, err := r.serve(ctx, n, a)
	if err != nil {
		status := statusOf(err)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		n.Log.Debug("a report cannot be made", "path", r.path, telemetry.Error(err))
		refuse(w, status, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, out)
}

// refuse answers with a [api.Problem].
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	// The client has gone if this fails; there is nobody left to tell.
	_ = e.Encode(api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: err.Error()})
}

const problemType = "application/problem+json"

// Errors that say what status they have.
var (
	errQuery   = errors.New("query")
	errUnknown = errors.New("unknown")
)

// told is an error whose status is that of kind.
type told struct {
	error
	kind error
}

func (t told) Unwrap() []error { return []error{t.kind, t.error} }

func unknown(format string, a ...any) error { return told{fmt.Errorf(format, a...), errUnknown} }
func bad(err error) error                   { return told{err, errQuery} }

func statusOf(err error) int {
	var said *local.StatusError
	var away *url.Error
	switch {
	case errors.Is(err, errUnknown):
		return http.StatusNotFound
	case errors.Is(err, errQuery):
		return http.StatusBadRequest
	case errors.As(err, &said) && (said.Status == http.StatusBadRequest || said.Status == http.StatusNotFound):
		return said.Status
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, bus.ErrDisconnected), errors.Is(err, bus.ErrNoAnswer), errors.As(err, &away):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

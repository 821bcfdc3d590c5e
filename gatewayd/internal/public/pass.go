package public

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// FailFunc answers a request that no program has answered. Retry-After is set where the
// status asks for it; err may tell of members and programs.
type FailFunc func(w http.ResponseWriter, status int, err error)

// Passage is one request on its way to a program.
type Passage struct {
	Ref   api.Ref
	Base  string // below which path members have it, with a slash at its end
	Mount string // below which clients see it, escaped, without a slash at its end
	Rest  string // of the path, escaped, what follows Mount and its slash
	Fail  FailFunc
	// Modify may change the answer; nil: it stays as it is. The headers between daemons are
	// still there.
	Modify func(*http.Response)
}

// Pass hands a request on to a member that runs p.Ref, and the answer back, both as they
// come.
func (h *Handler) Pass(w http.ResponseWriter, r *http.Request, p Passage) {
	plain, err := plainPath(p.Rest)
	if err != nil {
		p.Fail(w, http.StatusBadRequest, err)
		return
	}
	if r.ContentLength > MaxBody {
		h.failOr(p.Fail, w, r, &forward.BodyError{Err: &http.MaxBytesError{Limit: MaxBody}})
		return
	}
	release, ok := h.takeOr(p.Fail, w, r, p.Ref)
	if !ok {
		return
	}
	defer release()
	h.proxy(w, r, p, &url.URL{
		Path: p.Base + plain, RawPath: withoutEmptySegments(p.Base + p.Rest), RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery,
	})
}

func (h *Handler) proxy(w http.ResponseWriter, r *http.Request, p Passage, to *url.URL) {
	// A program may answer before it has read all. Where that cannot be had, it waits.
	_ = http.NewResponseController(w).EnableFullDuplex()
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	proxy := httputil.ReverseProxy{
		Rewrite: func(out *httputil.ProxyRequest) {
			rewrite(out, to)
			out.Out.Header.Set(api.HeaderPrefix, p.Mount)
		},
		Transport:     member{h.sender, p.Ref},
		FlushInterval: -1,
		BufferPool:    &h.buffers,
		ErrorLog:      slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
		ModifyResponse: func(resp *http.Response) error {
			if p.Modify != nil {
				p.Modify(resp)
			}
			local.DropOwn(resp.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { h.failOr(p.Fail, w, r, err) },
	}
	proxy.ServeHTTP(w, r)
}

// fail tells the client why its request has no answer.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.failOr(local.WriteError, w, r, err)
}

func (h *Handler) failOr(tell FailFunc, w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to read
	}
	status := statusOf(err)
	if soon, ok := unavailable(err); ok {
		w.Header().Set("Retry-After", soon)
	}
	h.log.Debug("request failed", "status", status, telemetry.Error(err))
	tell(w, status, err)
}

// Package seen shows what the gateway is asked and what it answers: as traces, and as an
// access log. Where a node wants neither, handlers stay as they are.
package seen

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/trace"
)

// Seen watches over the listeners of a node.
type Seen struct {
	tracer *trace.Tracer
	log    *slog.Logger // nil: there is no access log
}

// New returns a Seen; access takes the lines of the access log, one a write; nil: there is
// none.
func New(tracer *trace.Tracer, access io.Writer) *Seen {
	s := &Seen{tracer: tracer}
	if access != nil {
		s.log = slog.New(slog.NewJSONHandler(access, &slog.HandlerOptions{ReplaceAttr: withoutLevel}))
	}
	return s
}

// withoutLevel leaves out what is the same in every line.
func withoutLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

// Handler has what next answers on a listener be seen. Strangers do not say what is recorded,
// nor name traces, here or on the members behind.
func (s *Seen) Handler(listener string, strangers bool, next http.Handler) http.Handler {
	seen := next
	if s.tracer != nil || s.log != nil {
		seen = s.look(listener, next)
	}
	if !strangers {
		return seen
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Traceparent")
		r.Header.Del("Tracestate")
		seen.ServeHTTP(w, r)
	})
}

// look watches over the requests that next answers.
func (s *Seen) look(listener string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		r, span := s.tracer.Serve(r, "gateway "+route(r))
		span.Into(r.Context(), r.Header)
		taker := new(forward.Taker)
		r = r.WithContext(forward.Tell(r.Context(), taker))
		a := &local.Noted{ResponseWriter: w}
		body := &count{ReadCloser: r.Body}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = body
		}
		defer func() {
			p := recover() // an answer that broke off; the server cuts the connection
			span.Status(a.Status)
			if p != nil {
				span.Set("realm.cut", "true")
			}
			span.End()
			s.write(listener, r, a, body.n, taker, span.TraceID(), time.Since(begun), p != nil)
			if p != nil {
				panic(p)
			}
		}()
		next.ServeHTTP(a, r)
	})
}

// route is that of a request: what follows the name of a program is not of it.
func route(r *http.Request) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "", "exec", "functions", "peers":
		return "/" + first
	}
	return "/{program}/"
}

// maxText bounds what a stranger has the log hold of a field, in bytes.
const maxText = 2048

func bounded(s string) string { return s[:min(len(s), maxText)] }

// write adds a line to the access log. What follows "?" in an address may be a secret, and
// is left out.
func (s *Seen) write(listener string, r *http.Request, a *local.Noted, in int64, by *forward.Taker, traceID string, took time.Duration, cut bool) {
	if s.log == nil {
		return
	}
	fields := []slog.Attr{
		slog.String("listener", listener), slog.String("client", r.RemoteAddr), slog.String("method", bounded(r.Method)),
		slog.String("host", bounded(r.Host)), slog.String("path", bounded(r.URL.EscapedPath())), slog.String("route", route(r)), slog.String("proto", r.Proto),
		slog.Int("status", a.Status), slog.Int64("bytes_in", in), slog.Int64("bytes_out", a.Bytes),
		slog.Float64("ms", float64(took.Microseconds())/1e3),
	}
	if peer, tries := by.Taken(); tries > 0 {
		fields = append(fields, slog.String("peer", string(peer)), slog.Int("tries", tries))
	}
	if traceID != "" {
		fields = append(fields, slog.String("trace", traceID))
	}
	if cut {
		fields = append(fields, slog.Bool("cut", true))
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "", fields...)
}

// count counts the bytes of a request's body.
type count struct {
	io.ReadCloser
	n int64
}

func (c *count) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

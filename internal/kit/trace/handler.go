package trace

import (
	"bufio"
	"net"
	"net/http"
)

// Joined has next answer requests within spans of this name, where the caller has begun a
// trace. next finds the span's header in the request.
func (t *Tracer) Joined(name string, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, span := t.Join(r, name)
		if span == nil {
			next.ServeHTTP(w, r)
			return
		}
		span.Into(r.Context(), r.Header) //nolint:contextcheck // it is that of the request
		n := &noted{ResponseWriter: w}
		defer func() {
			span.Status(n.status)
			span.End()
		}()
		next.ServeHTTP(n, r)
	})
}

// noted notes the status of an answer.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	if n.status == 0 && status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		n.status = status
	}
	n.ResponseWriter.WriteHeader(status)
}

func (n *noted) Write(b []byte) (int, error) {
	if n.status == 0 {
		n.status = http.StatusOK
	}
	return n.ResponseWriter.Write(b)
}

// Hijack implements [http.Hijacker]: what follows is no HTTP, and its status is not written here.
func (n *noted) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	n.status = http.StatusSwitchingProtocols
	return http.NewResponseController(n.ResponseWriter).Hijack()
}

// Unwrap implements what [http.ResponseController] looks for.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

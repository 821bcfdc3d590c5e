package trace

import (
	"net/http"

	"github.com/realm-mesh/realm/internal/kit/local"
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
		n := &local.Noted{ResponseWriter: w}
		defer func() {
			span.Status(n.Status)
			span.End()
		}()
		next.ServeHTTP(n, r)
	})
}

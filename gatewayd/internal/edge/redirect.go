package edge

import (
	"net"
	"net/http"
	"strings"

	"github.com/realm-mesh/realm/internal/kit/ingress"
)

// redirect sends clients to the same path by HTTPS, at the port of addr. The method stays.
func redirect(addr net.Addr) http.Handler {
	port := ""
	if _, p, err := net.SplitHostPort(addr.String()); err == nil && p != "443" {
		port = ":" + p
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := ingress.CanonicalHost(r.Host)
		if host == "" || strings.ContainsAny(host, "/\\@?#") || !strings.HasPrefix(r.RequestURI, "/") {
			fail(w, http.StatusBadRequest, nil)
			return
		}
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		w.Header().Set("Location", "https://"+host+port+r.URL.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

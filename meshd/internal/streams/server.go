package streams

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const (
	headerTimeout = 10 * time.Second
	keepTimeout   = 90 * time.Second // of an idle stream; longer than the client's, which closes first
	maxHeader     = 64 << 10
)

// Server answers a service. [Listen] makes it known, [Server.Run] answers.
type Server struct {
	http *http.Server
	ln   net.Listener
}

// Listen registers a service on h. It must be called before h listens on the
// network. handler finds the caller, authenticated, under [local.HeaderPeer] and
// as the request's RemoteAddr.
func Listen(h host.Host, realm api.RealmID, s api.Service, handler http.Handler, log *slog.Logger) *Server {
	return ListenOn(h, protocol.ID(api.Protocol(realm, s)), handler, log)
}

// ListenOn is [Listen] for a protocol that belongs to no realm.
func ListenOn(h host.Host, id protocol.ID, handler http.Handler, log *slog.Logger) *Server {
	return &Server{ln: listen(h, id), http: &http.Server{
		Handler:           named(handler),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
}

// named says who calls, whatever the caller itself says about that.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(local.HeaderPeer, r.RemoteAddr)
		next.ServeHTTP(w, r)
	})
}

// Run answers until ctx ends, then lets requests in flight finish for at most grace.
func (s *Server) Run(ctx context.Context, grace time.Duration) error {
	return local.ServeUntil(ctx, s.http, s.ln, grace)
}

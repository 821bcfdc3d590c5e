package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/gatewayd/internal/wire"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// Limits of a connection.
const (
	MaxHeader     = 32 << 10         // bytes of a head
	HeaderTimeout = 10 * time.Second // from its first byte to its end; likewise of a TLS handshake
	IdleTimeout   = 90 * time.Second // between two requests
	WriteTimeout  = 60 * time.Second // without a byte taken, on HTTP/2
	maxStreams    = 250              // requests at once on a connection of HTTP/2
	streamWindow  = 256 << 10        // bytes of one that are on their way
	connWindow    = 1 << 20          // of all of them
)

// Config says what a Server serves, and to whom.
type Config struct {
	Name    string // of the listener, in series
	Handler http.Handler
	TLS     *tls.Config // nil: without; what it says of protocols is replaced
	// PerAddress is how many connections one address may have: a network of 64 bits of IPv6
	// counts as one, this machine is not counted. 0: as many as there are.
	PerAddress int
	Total      int // of all; 0: [MaxConns], or fewer where the system gives a process few files
	Metrics    *Metrics
	Log        *slog.Logger
}

// Server serves one listener.
type Server struct {
	cfg   Config
	conns *conns
}

// New returns a Server that serves nothing yet.
func New(cfg Config) *Server {
	if cfg.Total == 0 {
		cfg.Total = maxConns()
	}
	return &Server{cfg: cfg, conns: newConns(cfg.Total, cfg.PerAddress, cfg.Metrics.of(cfg.Name))}
}

// Serve answers on ln until ctx ends, then lets requests in flight finish for at most
// grace. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener, grace time.Duration) error {
	ln = s.conns.listener(ln)
	if s.cfg.TLS == nil {
		return local.ServeUntil(ctx, s.http(s.cfg.Handler), wire.Listener(ln, s.refused), grace)
	}
	d := newDoor(ln, s.cfg.TLS, s.cfg.Log)
	one := s.http(withTLS(s.cfg.Handler))
	one.ConnContext = rememberTLS
	return task.Run(ctx,
		d.run,
		func(ctx context.Context) error { return local.ServeUntil(ctx, s.http(s.cfg.Handler), d.two, grace) },
		func(ctx context.Context) error {
			return local.ServeUntil(ctx, one, wire.Listener(d.one, s.refused), grace)
		})
}

// http is a server of HTTP/1.1 and, to those who begin with it (RFC 9113, section 3.3), of
// HTTP/2.
func (s *Server) http(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(s.cfg.TLS == nil)
	return &http.Server{
		Handler: h, ReadHeaderTimeout: HeaderTimeout, IdleTimeout: IdleTimeout, MaxHeaderBytes: MaxHeader,
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connWindow,
			SendPingTimeout: IdleTimeout, PingTimeout: HeaderTimeout, WriteByteTimeout: WriteTimeout,
		},
		ConnState: s.state,
		ErrorLog:  slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// state tells who reads along how a connection stands.
func (s *Server) state(c net.Conn, to http.ConnState) {
	wire.State(c, to)
	s.conns.state(c, to)
}

func (s *Server) refused(err error) {
	s.cfg.Metrics.refused.WithLabelValues(s.cfg.Name).Inc()
	s.cfg.Log.Debug("request refused", "reason", err)
}

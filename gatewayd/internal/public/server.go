package public

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits of a connection.
const (
	headerTimeout = 10 * time.Second // from its first byte to the end of a request's header
	idleTimeout   = 90 * time.Second // between two requests
	maxStreams    = 250              // requests at once on a connection of HTTP/2
	streamWindow  = 256 << 10        // bytes of one that are on their way
	connWindow    = 1 << 20          // of all of them
)

// NewServer returns a server of h that speaks HTTP/1.1, and HTTP/2 with and without TLS
// to those who begin with it (RFC 9113, section 3.3).
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: MaxHeader,
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connWindow,
			SendPingTimeout: idleTimeout, PingTimeout: headerTimeout, WriteByteTimeout: Stall,
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

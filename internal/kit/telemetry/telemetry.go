// Package telemetry sets up what all daemons log and measure alike: the logger,
// the keys of its attributes, and the metrics registry.
package telemetry

import (
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/realm-mesh/realm/api"
)

// Keys of log attributes.
const (
	KeyDaemon   = "daemon"   // who logs
	KeyChild    = "child"    // a daemon, as its launcher speaks of it
	KeyWorkload = "workload" // KIND/NAME
	KeyPeer     = "peer"
	KeyBlob     = "blob"
	KeySeq      = "seq"
	KeyError    = "error"
)

// Error is the attribute of an error.
func Error(err error) slog.Attr { return slog.Any(KeyError, err) }

// EnvLogLevel names the environment variable of the least level logged: debug,
// info (the default), warn or error.
const EnvLogLevel = "REALM_LOG_LEVEL"

// NewLogger logs as text to w.
func NewLogger(w io.Writer, d api.Daemon) *slog.Logger {
	level := slog.LevelInfo
	// A word that is no level leaves the default: logging must not stop a daemon.
	_ = level.UnmarshalText([]byte(strings.ToUpper(os.Getenv(EnvLogLevel))))
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})).With(KeyDaemon, string(d))
}

// NewRegistry returns a registry with the series of the Go runtime and the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Package daemon is the frame of every daemon: flags, logger, bus, metrics, the
// HTTP socket, readiness, signals, and the life-line to the launcher.
//
// A daemon's standard input is its life-line: when the launcher ends, however
// violently, the pipe is closed and the daemon stops by itself.
package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Exit codes, a contract with the launcher.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	ExitConfig = 78 // EX_CONFIG: starting again will not help until a person mends it
)

// EnvLifeline is set by the launcher when standard input is the life-line.
const EnvLifeline = "REALM_LIFELINE"

const (
	connectTimeout = 10 * time.Second
	stopGrace      = 8 * time.Second // for requests in flight; the launcher kills after more
	lockTimeout    = stopGrace + 2*time.Second
)

// Env is what a daemon is given.
type Env struct {
	Home    paths.Home
	Config  config.Node
	Log     *slog.Logger
	Bus     *bus.Conn
	Service *bus.Service
	Mux     *http.ServeMux       // served on the daemon's socket once ready; holds GET /metrics
	Metrics *prometheus.Registry // behind GET /metrics
	Client  *http.Client         // to the other daemons' sockets

	ReceiveFiles bool // set by a daemon whose callers send open files: see [local.File]

	ready func(ctx context.Context, note string) error
}

// Ready tells the launcher that the daemon can do its work. It must be called
// once, when the routes and subjects are registered and state is recovered; note
// is for people, such as the addresses that it listens on.
func (e *Env) Ready(ctx context.Context, note string) error { return e.ready(ctx, note) }

// Daemon is what a daemon's package gives to [Main]. Run owns all goroutines of
// the daemon and returns when they have ended, after ctx has ended or on the
// first error.
type Daemon interface {
	Run(ctx context.Context) error
}

// Main runs a daemon and returns the exit code of its process. build wires it and
// starts nothing.
func Main(d api.Daemon, build func(ctx context.Context, env *Env) (Daemon, error)) int {
	version := flag.Bool("version", false, "print the version and end")
	home := flag.String("home", "", "home of the node (default $"+paths.EnvHome+", else the platform's data folder)")
	flag.Parse()
	if *version {
		fmt.Println(d, buildinfo.Version)
		return ExitOK
	}
	log := telemetry.NewLogger(os.Stderr, d)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// With the launcher goes the reader of the log. A line for nobody must not end the
	// process while it stops; nor may its children inherit that the signal is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx = withLifeline(ctx)
	err := task.Guard(ctx, func(ctx context.Context) error { return run(ctx, d, *home, log, build) })
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, config.ErrInvalid):
		log.Error("stopped: a setting must be mended", telemetry.Error(err))
		return ExitConfig
	default:
		log.Error("stopped", telemetry.Error(err))
		return ExitFailed
	}
}

// withLifeline returns a context that ends, too, when the launcher goes away.
func withLifeline(ctx context.Context) context.Context {
	if os.Getenv(EnvLifeline) == "" {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the other end is closed
		cancel(errors.New("the launcher has gone"))
		// Whatever hangs must not outlive the launcher for long.
		time.Sleep(stopGrace)
		os.Exit(ExitFailed)
	}()
	return ctx
}

// waitForLast takes the daemon's lock. The same daemon of a launcher that was killed
// may still be ending, and would remove the new one's socket.
func waitForLast(ctx context.Context, home paths.Home, d api.Daemon) (*lockfile.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	lock, err := lockfile.Wait(ctx, home.DaemonLock(d))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("another %s of this home is still running: end it: %w", d, err)
	}
	return lock, err
}

func run(ctx context.Context, d api.Daemon, homeDir string, log *slog.Logger, build func(context.Context, *Env) (Daemon, error)) error {
	home, err := paths.Open(homeDir)
	if err != nil {
		return err
	}
	cfg, err := config.Load(home.Config())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(home.State(d), 0o700); err != nil {
		return fmt.Errorf("create state folder: %w", err)
	}
	lock, err := waitForLast(ctx, home, d)
	if err != nil {
		return err
	}
	defer lock.Release()
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := bus.Connect(connecting, home, d, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	ln, err := local.Listen(home, d)
	if err != nil {
		return err
	}
	defer ln.Close() // again after Serve: harmless
	client, err := local.NewClient(home)
	if err != nil {
		return err
	}
	service, err := conn.NewService(ctx)
	if err != nil {
		return err
	}
	// Stopping fails only on a connection that is gone.
	defer func() { _ = service.Stop() }()
	env := &Env{Home: home, Config: cfg, Log: log, Bus: conn, Service: service, Client: client,
		Mux: http.NewServeMux(), Metrics: telemetry.NewRegistry()}
	env.Mux.Handle(api.RouteMetrics, promhttp.HandlerFor(env.Metrics, promhttp.HandlerOpts{}))
	isReady := make(chan struct{})
	env.ready = func(ctx context.Context, note string) error {
		close(isReady)
		r := api.Ready{Daemon: d, PID: os.Getpid(), Version: buildinfo.Version, Note: note}
		return conn.RequestRetry(ctx, api.SubjectReady, r, &api.Empty{})
	}
	daemon, err := build(ctx, env)
	if err != nil {
		return err
	}
	return task.Run(ctx,
		daemon.Run,
		func(ctx context.Context) error {
			select {
			case <-isReady:
				if env.ReceiveFiles {
					ln = local.ReceiveFiles(ln)
				}
				return local.Serve(ctx, home, ln, env.Mux, stopGrace/2)
			case <-ctx.Done():
				return nil
			}
		},
		func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return nil
			case <-conn.Closed():
				return bus.ErrDisconnected
			}
		})
}

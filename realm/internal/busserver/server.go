package busserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// maxPayload is the largest message with its headers, which count, too.
const maxPayload = api.MaxMessage + 16<<10

const (
	startTimeout = 10 * time.Second
	minRoom      = 4 << 20 // bytes that must be free to start
)

// Server is a running bus.
type Server struct {
	home paths.Home
	log  *slog.Logger
	ln   net.Listener

	restarting sync.Mutex // held by who starts the server anew

	mu     sync.Mutex
	nats   *server.Server // nil while it restarts
	closed bool

	stop context.CancelFunc
	done sync.WaitGroup // the accept loop, its connections, and the health check
}

// Start brings the bus of a home up and opens its socket. The caller holds the
// home's lock, has made its folders, and calls [Server.Close] in the end. ctx
// bounds the start alone.
func Start(ctx context.Context, h paths.Home, log *slog.Logger) (*Server, error) {
	s := &Server{home: h, log: log}
	var err error
	if s.nats, err = s.startNATS(ctx); err != nil {
		return nil, err
	}
	if s.ln, err = listen(ctx, h.Socket(api.Launcher)); err != nil {
		shutDown(s.nats)
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(s.accept)
	s.done.Go(func() { s.watchHealth(running) })
	return s, nil
}

// startNATS starts a server that nobody can reach yet, with users and buckets.
func (s *Server) startNATS(ctx context.Context) (*server.Server, error) {
	if err := os.MkdirAll(s.home.Bus(), 0o700); err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	if err := disk.Room(s.home.Bus(), 0, minRoom); err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	opts, err := natsOptions(s.home)
	if err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	login, err := nats.NkeyOptionFromSeed(s.home.BusSeed(api.Launcher))
	if err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	l := &logger{log: s.log}
	srv.SetLoggerV2(l, s.log.Enabled(ctx, slog.LevelDebug), false, false)
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) || l.failed() != nil || !srv.JetStreamEnabled() {
		shutDown(srv)
		return nil, fmt.Errorf("start the bus: %w", errors.Join(errors.New("the NATS server does not come up"), l.failed()))
	}
	bounded, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := makeBuckets(bounded, srv, login); err != nil {
		shutDown(srv)
		return nil, err
	}
	return srv, nil
}

func natsOptions(h paths.Home) (*server.Options, error) {
	opts := &server.Options{
		ServerName:         "realm",
		DontListen:         true,
		NoSigs:             true,
		MaxPayload:         maxPayload,
		JetStream:          true,
		StoreDir:           h.Bus(),
		SyncAlways:         true,
		JetStreamMaxStore:  maxStore,
		JetStreamMaxMemory: maxMemory,
	}
	for _, d := range users() {
		pub, err := userKey(h, d)
		if err != nil {
			return nil, err
		}
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: pub, Permissions: rightsOf(d).permissions(d)})
	}
	return opts, nil
}

func shutDown(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// accept hands every connection to the server that runs at that time.
func (s *Server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("accept on the bus", telemetry.Error(err))
			}
			return
		}
		s.done.Go(func() { s.serve(conn) })
	}
}

func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	srv := s.nats
	s.mu.Unlock()
	if srv == nil {
		conn.Close() // it restarts: the client tries again
		return
	}
	in, err := srv.InProcessConn()
	if err != nil {
		conn.Close()
		return
	}
	splice(conn, in)
}

// Restart ends the server and starts a new one on the same files. Clients are cut
// off and come back by themselves.
func (s *Server) Restart(ctx context.Context) error {
	s.restarting.Lock()
	defer s.restarting.Unlock()
	return s.restart(ctx)
}

// restart is [Server.Restart] for who holds restarting.
func (s *Server) restart(ctx context.Context) error {
	s.mu.Lock()
	old := s.nats
	s.nats = nil
	s.mu.Unlock()
	if old != nil {
		shutDown(old)
	}
	srv, err := s.startNATS(ctx)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		shutDown(srv)
		return errors.New("restart: the bus was closed meanwhile")
	}
	s.nats = srv
	return nil
}

// Close ends the server, cuts all clients off and removes the socket.
func (s *Server) Close() {
	s.stop()
	s.ln.Close()
	s.mu.Lock()
	srv := s.nats
	s.nats, s.closed = nil, true
	s.mu.Unlock()
	if srv != nil {
		shutDown(srv)
	}
	s.done.Wait()
}

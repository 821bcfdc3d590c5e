package gatewayd

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// launcher stands in for realm up: a real bus on the home's socket, and the
// requests that gatewayd makes.
type launcher struct {
	*testing.T
	home  paths.Home
	self  api.PeerID
	ready chan api.Ready
	users []*server.NkeyUser
	key   nkeys.KeyPair // of the launcher

	srv  *server.Server
	ln   net.Listener
	conn *bus.Conn
	wg   sync.WaitGroup
	mu   sync.Mutex
	ps   api.PSReply
}

func newLauncher(t *testing.T) *launcher {
	t.Helper()
	l := &launcher{T: t, home: standin.Home(t), ready: make(chan api.Ready, 16)}
	key, err := keys.Create(l.home.NodeKey())
	if err != nil {
		t.Fatal(err)
	}
	l.self = peerOf(key)
	for _, d := range []api.Daemon{api.Launcher, api.Gatewayd, api.Meshd} {
		user, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		seed, seedErr := user.Seed()
		pub, pubErr := user.PublicKey()
		if err := errors.Join(seedErr, pubErr, os.WriteFile(l.home.BusSeed(d), seed, 0o600)); err != nil {
			t.Fatal(err)
		}
		l.users = append(l.users, &server.NkeyUser{Nkey: pub})
		if d == api.Launcher {
			l.key = user
		}
	}
	for _, d := range api.Daemons() {
		l.ps.Daemons = append(l.ps.Daemons, api.DaemonStatus{Daemon: d, State: api.DaemonReady})
	}
	l.startBus()
	t.Cleanup(l.stopBus)
	return l
}

func (l *launcher) startBus() {
	l.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: l.home.Bus(), Nkeys: l.users})
	if err != nil {
		l.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		l.Fatal("the bus does not start")
	}
	l.srv = srv
	if err := os.Remove(l.home.Socket(api.Launcher)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.Fatal(err)
	}
	if l.ln, err = net.Listen("unix", l.home.Socket(api.Launcher)); err != nil {
		l.Fatal(err)
	}
	l.makeBuckets()
	l.wg.Go(l.accept)
	l.serve()
}

func (l *launcher) stopBus() {
	l.conn.Close()
	l.ln.Close()
	l.srv.Shutdown()
	l.srv.WaitForShutdown()
	l.wg.Wait()
}

// accept joins each connection to the socket with one inside the server.
func (l *launcher) accept() {
	for {
		outer, err := l.ln.Accept()
		if err != nil {
			return
		}
		inner, err := l.srv.InProcessConn()
		if err != nil {
			outer.Close()
			continue
		}
		for _, c := range [][2]net.Conn{{outer, inner}, {inner, outer}} {
			l.wg.Go(func() {
				_, _ = io.Copy(c[0], c[1])
				c[0].Close()
				c[1].Close()
			})
		}
	}
}

func (l *launcher) makeBuckets() {
	nc, err := nats.Connect("", nats.InProcessServer(l.srv), nats.Nkey(l.users[0].Nkey, l.key.Sign))
	if err != nil {
		l.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		l.Fatal(err)
	}
	for _, name := range []string{api.BucketPeers, api.BucketWorkloads, api.BucketJobs, api.BucketIntents} {
		if _, err := js.CreateOrUpdateKeyValue(l.Context(), jetstream.KeyValueConfig{Bucket: name, Storage: jetstream.MemoryStorage}); err != nil {
			l.Fatal(err)
		}
	}
}

// serve answers what gatewayd asks of its launcher.
func (l *launcher) serve() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := bus.Connect(ctx, l.home, api.Launcher, slog.New(slog.DiscardHandler))
	if err != nil {
		l.Fatal(err)
	}
	l.conn = conn
	svc, err := conn.NewService(context.WithoutCancel(ctx))
	if err != nil {
		l.Fatal(err)
	}
	err = errors.Join(
		bus.Handle(svc, api.SubjectReady, func(_ context.Context, r *api.Ready) (any, error) {
			l.ready <- *r
			return api.Empty{}, nil
		}),
		bus.Handle(svc, api.SubjectPS, func(context.Context, *api.Empty) (any, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.ps, nil
		}))
	if err != nil {
		l.Fatal(err)
	}
}

// put writes a value into a bucket, as runnerd and meshd do.
func (l *launcher) put(bucket, key string, v any) {
	l.Helper()
	b, err := l.conn.Bucket(l.Context(), bucket)
	if err != nil {
		l.Fatal(err)
	}
	data, ok := v.([]byte)
	if !ok {
		if data, err = json.Marshal(v); err != nil {
			l.Fatal(err)
		}
	}
	if err := b.Put(l.Context(), key, data); err != nil {
		l.Fatal(err)
	}
}

func (l *launcher) fact(r api.Ref, p api.PeerID, s api.State) {
	l.Helper()
	l.put(api.BucketWorkloads, api.KeyWorkload(r, p), api.WorkloadFact{Ref: r, Peer: p, State: s, Since: time.Now()})
}

func (l *launcher) peer(p api.PeerID, connected bool) {
	l.Helper()
	l.put(api.BucketPeers, string(p), api.PeerRecord{PeerFact: api.PeerFact{Peer: p}, Connected: connected, Self: p == l.self})
}

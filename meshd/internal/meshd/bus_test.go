package meshd

import (
	"io"
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
)

// startBus starts a NATS server as realm up does, but for the rights.
func (b *box) startBus(t testing.TB) {
	t.Helper()
	opts := &server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.home.Bus(), SyncAlways: true, MaxPayload: api.MaxMessage + 16<<10}
	for _, d := range []api.Daemon{api.Meshd, api.Launcher} {
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: b.user(t, d)})
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the bus does not come up")
	}
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	b.makeBuckets(t, srv)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.srv = srv
}

// user is the public key of d, made where there is none.
func (b *box) user(t testing.TB, d api.Daemon) string {
	t.Helper()
	path := b.home.BusSeed(d)
	seed, err := os.ReadFile(path)
	if err != nil {
		kp, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		if seed, err = kp.Seed(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, seed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kp, err := nkeys.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func (b *box) makeBuckets(t testing.TB, srv *server.Server) {
	t.Helper()
	login, err := nats.NkeyOptionFromSeed(b.home.BusSeed(api.Launcher))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv), login)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, storage := range map[string]jetstream.StorageType{
		api.BucketIntents: jetstream.FileStorage, api.BucketPeers: jetstream.MemoryStorage, api.BucketWorkloads: jetstream.MemoryStorage,
		api.BucketJobs: jetstream.FileStorage,
	} {
		if _, err := js.CreateOrUpdateKeyValue(testContext(t), jetstream.KeyValueConfig{Bucket: name, Storage: storage}); err != nil {
			t.Fatal(err)
		}
	}
}

// serveBus opens the bus's socket.
func (b *box) serveBus(t testing.TB) {
	t.Helper()
	ln, err := net.Listen("unix", b.home.Socket(api.Launcher))
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { b.splice(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); open.Wait() })
}

func (b *box) splice(c net.Conn) {
	defer c.Close()
	b.mu.Lock()
	srv := b.srv
	b.mu.Unlock()
	in, err := srv.InProcessConn()
	if err != nil {
		return
	}
	var both sync.WaitGroup
	for _, dir := range [2][2]net.Conn{{c, in}, {in, c}} {
		both.Go(func() {
			_, _ = io.Copy(dir[0], dir[1]) // whatever ends it, the client comes back
			c.Close()
			in.Close()
		})
	}
	both.Wait()
}

// restartBus ends the server, with all that it keeps in memory, and starts another.
func (b *box) restartBus(t testing.TB) {
	t.Helper()
	b.interruptBus(t, func() {})
}

// interruptBus ends the server, and starts another when meanwhile has returned.
func (b *box) interruptBus(t testing.TB, meanwhile func()) {
	t.Helper()
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	until(t, "the test has lost the bus", func() bool { return !b.bus.Connected() })
	meanwhile()
	b.startBus(t)
	until(t, "the test has the bus back", b.bus.Connected)
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("never: %s", what)
		}
	}
}

package meshd

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// envDaemon makes the test binary meshd, in the home of the environment.
const envDaemon = "REALM_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(envDaemon) != "" {
		os.Exit(daemon.Main(api.Meshd, New))
	}
	goleak.VerifyTestMain(m)
}

const patience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// box is a home with a bus, on which the test plays the launcher and all daemons
// but meshd.
type box struct {
	home  paths.Home
	key   ed25519.PrivateKey
	bus   *bus.Conn // with all rights
	ready chan api.Ready

	mu  sync.Mutex
	srv *server.Server
}

func newBox(t testing.TB) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "realm") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &box{ready: make(chan api.Ready, 16)}
	if b.home, err = paths.Open(dir); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.home.Create(), local.CreateToken(b.home)); err != nil {
		t.Fatal(err)
	}
	if b.key, err = keys.Create(b.home.NodeKey()); err != nil {
		t.Fatal(err)
	}
	b.startBus(t)
	b.serveBus(t)
	b.bus = b.login(t, api.Launcher)
	svc, err := b.bus.NewService(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	err = bus.Handle(svc, api.SubjectReady, func(_ context.Context, r *api.Ready) (any, error) {
		b.ready <- *r
		return api.Empty{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) id() api.PeerID { return keys.Peer(b.key.Public().(ed25519.PublicKey)) }

// login connects as d.
func (b *box) login(t testing.TB, d api.Daemon) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(testContext(t), b.home, d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

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
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	until(t, "the test has lost the bus", func() bool { return !b.bus.Connected() })
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

// process is a running meshd.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	note  string // what it said when it was ready
	ended chan struct{}
}

// start runs meshd in the box and waits until it is ready; env are settings.
func (b *box) start(t testing.TB, env ...string) *process {
	t.Helper()
	p := b.spawn(t, env...)
	select {
	case r := <-b.ready:
		if r.Daemon != api.Meshd || r.PID != p.cmd.Process.Pid {
			t.Fatalf("ready is %+v", r)
		}
		p.note = r.Note
	case <-p.ended:
		t.Fatal("meshd has ended before it was ready")
	case <-time.After(patience):
		t.Fatal("meshd does not become ready")
	}
	return p
}

func (b *box) spawn(t testing.TB, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envDaemon+"=1", "REALM_HOME="+b.home.Root(), daemon.EnvLifeline+"=1", "REALM_MDNS=false")
	p.cmd.Env = append(p.cmd.Env, env...)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if os.Getenv("REALM_LOG_LEVEL") != "" {
				fmt.Fprintln(os.Stderr, b.id().Short(), lines.Text())
			}
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends meshd as a launcher that goes away does.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Error("meshd does not end with its life-line")
		p.kill(t)
	}
}

func (p *process) kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-p.ended
}

func (p *process) code(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("meshd goes on")
	}
	return p.cmd.ProcessState.ExitCode()
}

// owner signs for the realm of a test.
type owner struct {
	key ed25519.PrivateKey
	pin trust.Pin
}

func newOwner(t testing.TB) owner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return owner{key, trust.NewPin(keys.PublicOf(key))}
}

// claim makes a box a member of o's realm.
func (o owner) claim(t testing.TB, boxes ...*box) {
	t.Helper()
	for _, b := range boxes {
		if err := o.pin.Write(b.home.Pin()); err != nil {
			t.Fatal(err)
		}
	}
}

func (o owner) sign(t testing.TB, name string, seq uint64) intent.Signed {
	t.Helper()
	body, err := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
	if err != nil {
		t.Fatal(err)
	}
	in := api.Intent{Realm: o.pin.Realm, Ref: ref(name), Seq: seq, Issued: time.Now(), Body: body}
	if seq > 1 {
		in.Prev = api.Sum([]byte("the one before"))
	}
	s, err := intent.Sign(in, o.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

func (b *box) bucket(t testing.TB, name string) *bus.Bucket {
	t.Helper()
	k, err := b.bus.Bucket(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// awaitKey waits until the value of a key is as ok wants it; nil: it is not there.
func (b *box) awaitKey(t testing.TB, bucket, key, what string, ok func(value []byte) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := errors.New("done")
	var last []byte
	err := b.bucket(t, bucket).Watch(ctx, key, func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Reset, bus.Deleted:
			last = nil
		case bus.Put:
			last = ev.Value
		case bus.Synced:
		}
		if ev.Kind != bus.Reset && ok(last) {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("never: %s (%v); %s/%s is %s", what, err, bucket, key, last)
	}
}

func (b *box) awaitMember(t testing.TB, p api.PeerID, connected bool) {
	t.Helper()
	b.awaitKey(t, api.BucketPeers, string(p), fmt.Sprintf("%s is connected: %v", p.Short(), connected), func(v []byte) bool {
		var r api.PeerRecord
		return v != nil && api.Decode(v, api.MaxMessage, &r) == nil && r.Connected == connected
	})
}

func (b *box) awaitIntent(t testing.TB, s intent.Signed) {
	t.Helper()
	b.awaitKey(t, api.BucketIntents, api.KeyIntent(s.Ref), "the intent "+s.String(), func(v []byte) bool { return string(v) == string(s.Envelope) })
}

func (b *box) submit(t testing.TB, s intent.Signed) error {
	t.Helper()
	var reply api.SubmitReply
	err := b.bus.Request(testContext(t), api.SubjectSubmit, s.Envelope, &reply)
	if err == nil && reply.Digest != s.Digest {
		t.Errorf("submitted %s, accepted %s", s.Digest.Short(), reply.Digest.Short())
	}
	return err
}

// boot is the setting that tells a meshd of others.
func boot(ps ...*process) string {
	var addrs []string
	for _, p := range ps {
		addrs = append(addrs, p.note)
	}
	return "REALM_BOOTSTRAP=" + strings.Join(addrs, ",")
}

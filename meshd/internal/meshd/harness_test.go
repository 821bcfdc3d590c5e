package meshd

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
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
	// launcher says how its daemons are.
	launcher launcher

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
	err = errors.Join(bus.Handle(svc, api.SubjectReady, func(_ context.Context, r *api.Ready) (any, error) {
		b.ready <- *r
		return api.Empty{}, nil
	}), bus.Handle(svc, api.SubjectPS, func(ctx context.Context, _ *api.Empty) (any, error) { return b.launcher.ask(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) id() api.PeerID { return meshtest.ID(b.key) }

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
	b.awaitKey(t, api.BucketIntents, s.Slot().Key(), "the intent "+s.String(), func(v []byte) bool { return string(v) == string(s.Envelope) })
}

// status asks meshd how the node stands.
func (b *box) status(t testing.TB) (s api.MeshStatus) {
	t.Helper()
	if err := b.bus.RequestRetry(testContext(t), api.SubjectMesh, nil, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitStatus waits until the node stands as ok wants it.
func (b *box) awaitStatus(t testing.TB, what string, ok func(api.MeshStatus) bool) (s api.MeshStatus) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if s = b.status(t); ok(s) {
			return s
		}
		if time.Since(start) > patience {
			t.Fatalf("never: %s; it is %+v", what, s)
		}
	}
}

func (b *box) awaitStanding(t testing.TB, want api.Standing) api.MeshStatus {
	t.Helper()
	return b.awaitStatus(t, string(want), func(s api.MeshStatus) bool { return s.Standing == want })
}

// follow has the node follow a realm.
func (b *box) follow(t testing.TB, r *meshtest.Realm) {
	t.Helper()
	if err := r.Pin.Write(b.home.Pin()); err != nil {
		t.Fatal(err)
	}
}

// admit makes the node a member, by what the owner has put into its home.
func (b *box) admit(t testing.TB, r *meshtest.Realm, roles ...string) {
	t.Helper()
	b.follow(t, r)
	r.Admit(t, b.key, roles...)
	if err := trust.WriteMembership(b.home.Proof(), r.Proof(b.key)); err != nil {
		t.Fatal(err)
	}
}

// after is the version of a component that follows another one.
func after(t testing.TB, r *meshtest.Realm, s intent.Signed) intent.Signed {
	t.Helper()
	return r.Sign(t, r.Key, api.Intent{Ref: s.Ref, Seq: s.Seq + 1, Prev: s.Digest, Body: s.Body}, nil)
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

package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// launcherName is the name under which the test binary is a launcher of its own.
const launcherName = "realm-under-test"

// TestMain makes the test binary a daemon, or a launcher, when it is called by that name.
func TestMain(m *testing.M) {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	for _, d := range api.Daemons() {
		if name == string(d) {
			os.Exit(daemon.Main(d, func(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
				return &testDaemon{d, env}, nil
			}))
		}
	}
	if name == launcherName {
		os.Exit(launch())
	}
	goleak.VerifyTestMain(m)
}

// launch brings up the node of $REALM_HOME.
func launch() int {
	h, err := paths.Open("")
	if err == nil {
		var n config.Node
		if n, err = config.Load(h.Config()); err == nil {
			err = Run(context.Background(), Options{Home: h, Config: n, Out: os.Stderr, Log: slog.New(slog.DiscardHandler)})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// testDaemon does nothing but what the file "behave" in its state folder says.
type testDaemon struct {
	name api.Daemon
	env  *daemon.Env
}

func behave(h paths.Home, d api.Daemon) string { return filepath.Join(h.State(d), "behave") }

func (d *testDaemon) Run(ctx context.Context) error {
	how, err := os.ReadFile(behave(d.env.Home, d.name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch string(how) {
	case "misconfigured":
		return fmt.Errorf("%w: bootstrap: not a multiaddr", config.ErrInvalid)
	case "broken":
		return errors.New("the store is broken")
	case "stubborn": // ready, but does not end
		if err := d.env.Ready(ctx, ""); err != nil {
			return err
		}
		select {}
	}
	d.env.Log.Info("at work")
	if err := d.env.Ready(ctx, fmt.Sprint("mesh port ", d.env.Config.ListenPort)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// testNode is a node of test daemons.
type testNode struct {
	t    *testing.T
	home paths.Home
	opts Options
	out  strings.Builder

	cancel context.CancelFunc
	kill   chan struct{}
	ready  chan struct{}
	done   chan struct{} // closed when Run has returned err
	err    error
}

// newNode has a home, free ports and no owner, and is not up yet.
func newNode(t *testing.T) *testNode {
	t.Helper()
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "none.pem"))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under -race every process would otherwise end a second late
	h, err := paths.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(h.Run()) })
	n := &testNode{t: t, home: h}
	n.opts = Options{
		Home: h, BinDir: binaries(t), Log: slog.New(slog.DiscardHandler), Out: &n.out,
		Config: config.Node{HTTPListen: "127.0.0.1:0", ManageListen: "127.0.0.1:0"},
	}
	return n
}

// binaries is a folder with the test binary under the names of all daemons.
func binaries(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ext := filepath.Ext(self)
	if ext != ".exe" {
		ext = ""
	}
	for _, d := range append(api.Daemons(), launcherName) {
		link := filepath.Join(dir, string(d)+ext)
		if runtime.GOOS == "windows" {
			err = os.Link(self, link)
		} else {
			err = os.Symlink(self, link)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// behaves makes a daemon of the node misbehave from its next start on.
func (n *testNode) behaves(d api.Daemon, how string) {
	n.t.Helper()
	if err := os.MkdirAll(n.home.State(d), 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(behave(n.home, d), []byte(how), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// start runs the launcher.
func (n *testNode) start() {
	ctx, cancel := context.WithCancel(n.t.Context())
	n.cancel, n.kill, n.ready, n.done = cancel, make(chan struct{}), make(chan struct{}), make(chan struct{})
	n.opts.Kill = n.kill
	n.opts.OnReady = func(context.Context) error { close(n.ready); return nil }
	go func() {
		defer close(n.done)
		n.err = Run(ctx, n.opts)
	}()
	n.t.Cleanup(func() {
		cancel()
		<-n.done
	})
}

// up starts the node and waits until it is ready.
func (n *testNode) up() {
	n.t.Helper()
	n.start()
	select {
	case <-n.ready:
	case <-n.done:
		n.t.Fatalf("the node did not come up: %v", n.err)
	case <-time.After(40 * time.Second):
		n.t.Fatal("the node did not come up")
	}
}

// ended waits until Run has returned and tells what.
func (n *testNode) ended() error {
	n.t.Helper()
	select {
	case <-n.done:
		return n.err
	case <-time.After(60 * time.Second):
		n.t.Fatal("the node does not stop")
		return nil
	}
}

func (n *testNode) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), d)
	n.t.Cleanup(cancel)
	return ctx
}

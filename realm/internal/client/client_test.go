package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

const (
	member = "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
	// commandName is the name under which the test binary is a command that hangs.
	commandName = "command-under-test"
	// envMesh says how meshd finds the realm.
	envMesh = "CLIENT_TEST_MESH"
)

// TestMain makes the test binary a daemon, or a command, when it is called by that name.
func TestMain(m *testing.M) {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	for _, d := range api.Daemons() {
		if name == string(d) {
			os.Exit(daemon.Main(d, func(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
				return &testDaemon{d, env}, nil
			}))
		}
	}
	if name == commandName {
		os.Exit(hang())
	}
	goleak.VerifyTestMain(m)
}

// testDaemon is ready at once; as meshd it also says how it stands.
type testDaemon struct {
	name api.Daemon
	env  *daemon.Env
}

func (d *testDaemon) Run(ctx context.Context) error {
	how := os.Getenv(envMesh)
	if how == "misconfigured" && d.name == api.Meshd {
		return fmt.Errorf("%w: bootstrap: not a multiaddr", config.ErrInvalid)
	}
	if d.name == api.Meshd {
		asked := 0
		if err := bus.Handle(d.env.Service, api.SubjectMesh, func(context.Context, *api.Empty) (any, error) {
			asked++
			s := api.MeshStatus{Standing: api.StandingClient, Note: "note of meshd"}
			switch {
			case how == "refused":
				s.Refused = "its time is over"
			case how == "revoked":
				s.Standing = api.StandingRevoked
			case how == "" && asked > 1:
				s.Peers, s.Synced = 1, asked > 2
			}
			return s, nil
		}); err != nil {
			return err
		}
	}
	c := d.env.Config
	if err := d.env.Ready(ctx, fmt.Sprintf("client %v mdns %v bootstrap %v listen %s %s", c.Client, *c.MDNS, c.Bootstrap, host(c.HTTPListen), host(c.ManageListen))); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func host(addr string) string {
	h, _, _ := strings.Cut(addr, ":")
	return h
}

// binaries is a folder with the test binary under the names of all daemons.
func binaries(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ext := ""
	if runtime.GOOS == "windows" {
		ext = ".exe"
	}
	for _, d := range append(api.Daemons(), commandName) {
		if err := os.Symlink(self, filepath.Join(dir, string(d)+ext)); err != nil {
			if err = os.Link(self, filepath.Join(dir, string(d)+ext)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// options are those of a realm whose owner is this account.
func options(t *testing.T) Options {
	t.Helper()
	tmp, err := os.MkdirTemp("", "c") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	for _, v := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(v, tmp)
	}
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under -race every process would otherwise end a second late
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "owner.pem"))
	k, err := owner.Create()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Pin: k.Pin(), Signer: owner.Signer{Key: k, Realm: k.Realm()}, Addr: member, Life: time.Minute,
		BinDir: binaries(t), Log: slog.New(slog.DiscardHandler)}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// nothingLeft fails where a home of a client is still there.
func nothingLeft(t *testing.T) {
	t.Helper()
	all, err := paths.OpenClients()
	if err != nil {
		t.Fatal(err)
	}
	if homes, err := all.Homes(); err != nil || len(homes) > 0 {
		t.Errorf("left behind: %v, %v", homes, err)
	}
}

func TestRun(t *testing.T) {
	o := options(t)
	called := false
	err := Run(within(t, time.Minute), o, func(ctx context.Context, h paths.Home) error {
		called = true
		n, err := node.Dial(ctx, h)
		if err != nil {
			return err
		}
		defer n.Close()
		if s, err := n.Mesh(ctx); err != nil || !s.Synced {
			t.Errorf("it was called before the realm was known: %+v, %v", s, err)
		}
		ps, err := n.PS(ctx)
		if err != nil || len(ps.Daemons) != len(daemons()) {
			t.Fatalf("it runs %+v, %v", ps, err)
		}
		if want := "client true mdns false bootstrap [" + member + "] listen 127.0.0.1 127.0.0.1"; ps.Daemons[0].Note != want {
			t.Errorf("daemons were told %q, want %q", ps.Daemons[0].Note, want)
		}
		checkHome(t, h, o)
		return nil
	})
	if err != nil || !called {
		t.Errorf("called %v: %v", called, err)
	}
	nothingLeft(t)
}

func checkHome(t *testing.T, h paths.Home, o Options) {
	t.Helper()
	if fi, err := os.Stat(h.Root()); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
		t.Errorf("home %v, %v", fi.Mode(), err)
	}
	if pin, err := trust.ReadPin(h.Pin()); err != nil || pin != o.Pin {
		t.Errorf("it follows %v, %v", pin, err)
	}
	p, err := trust.ReadMembership(h.Proof())
	if err != nil {
		t.Fatal(err)
	}
	s, err := intent.Read(p.Intents[0])
	if err != nil {
		t.Fatal(err)
	}
	var m api.Membership
	if err := api.Decode(s.Body, 1<<10, &m); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(m.Expires); left < o.Life || left > o.Life+slack {
		t.Errorf("it is let in for %v", left)
	}
}

func TestLifeIsBounded(t *testing.T) {
	o := options(t)
	o.Life, o.Alone = 100*24*time.Hour, true
	if err := Run(within(t, time.Minute), o, func(_ context.Context, h paths.Home) error {
		p, err := trust.ReadMembership(h.Proof())
		if err != nil {
			return err
		}
		s, err := intent.Read(p.Intents[0])
		if err != nil {
			return err
		}
		var m api.Membership
		if err := api.Decode(s.Body, 1<<10, &m); err != nil {
			return err
		}
		if left := time.Until(m.Expires); left > api.MaxClient {
			t.Errorf("it is let in for %v", left)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	o := options(t)
	mine := errors.New("mine")
	if err := Run(within(t, time.Minute), o, func(context.Context, paths.Home) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("of the command: %v", err)
	}
	never := func(context.Context, paths.Home) error { t.Error("it was called"); return nil }
	t.Setenv(envMesh, "revoked")
	if err := Run(within(t, time.Minute), o, never); !errors.Is(err, ErrNotIn) || !strings.Contains(err.Error(), "note of meshd") {
		t.Errorf("revoked: %v", err)
	}
	for how, want := range map[string]string{"refused": "its time is over", "nobody": "note of meshd"} {
		t.Setenv(envMesh, how)
		if err := Run(within(t, 3*time.Second), o, never); !errors.Is(err, ErrNotIn) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", how, err)
		}
	}
	t.Setenv(envMesh, "misconfigured")
	if err := Run(within(t, time.Minute), o, never); err == nil || !strings.Contains(err.Error(), "not a multiaddr") {
		t.Errorf("a daemon that does not start: %v", err)
	}
	nothingLeft(t)
}

// Ctrl-C ends the command first, and its node after it.
func TestInterrupted(t *testing.T) {
	o := options(t)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	err := Run(ctx, o, func(ctx context.Context, h paths.Home) error {
		cancel()
		<-ctx.Done()
		n, err := node.Dial(context.WithoutCancel(ctx), h)
		if err != nil {
			t.Errorf("the node was gone before the command: %v", err)
			return err
		}
		n.Close()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := Run(ctx, o, func(context.Context, paths.Home) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("before it began: %v", err)
	}
	nothingLeft(t)
}

// hang is a command that joins, says where, and waits to be killed.
func hang() int {
	k, err := owner.Load()
	if err == nil {
		err = Run(context.Background(), Options{Pin: k.Pin(), Signer: owner.Signer{Key: k, Realm: k.Realm()}, Addr: member, Life: time.Minute, Log: slog.New(slog.DiscardHandler)},
			func(ctx context.Context, h paths.Home) error {
				fmt.Println(h.Root())
				<-ctx.Done()
				return nil
			})
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// What a killed command leaves behind the next one removes, but not the home of one
// that runs.
func TestLeftoversAreSwept(t *testing.T) {
	o := options(t)
	var roots []string
	var commands []*exec.Cmd
	for range 2 {
		cmd := exec.CommandContext(t.Context(), filepath.Join(o.BinDir, commandName))
		cmd.Env = append(os.Environ(), "REALM_BIN_DIR="+o.BinDir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		line := make([]byte, 4096)
		n, err := out.Read(line)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		roots, commands = append(roots, strings.TrimSpace(string(line[:n]))), append(commands, cmd)
	}
	if err := commands[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = commands[0].Wait() // it was killed
	deadline := time.Now().Add(30 * time.Second)
	for gone := false; !gone; { // its daemons need a moment to notice
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", roots[0])
		}
		if err := Run(within(t, time.Minute), o, func(context.Context, paths.Home) error { return nil }); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(roots[0])
		gone = errors.Is(err, os.ErrNotExist)
	}
	if _, err := os.Stat(roots[1]); err != nil {
		t.Errorf("the home of pid %s was taken away: %v", strconv.Itoa(commands[1].Process.Pid), err)
	}
}

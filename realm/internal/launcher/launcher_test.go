package launcher

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/lockfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// cli is a connection of the command line to the node.
func (n *testNode) cli() *bus.Conn {
	n.t.Helper()
	c, err := bus.Connect(n.within(10*time.Second), n.home, api.CLI, slog.New(slog.DiscardHandler))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(c.Close)
	return c
}

func (n *testNode) ps(c *bus.Conn) api.PSReply {
	n.t.Helper()
	var ps api.PSReply
	if err := c.Request(n.within(10*time.Second), api.SubjectPS, api.Empty{}, &ps); err != nil {
		n.t.Fatal(err)
	}
	return ps
}

func TestUpAndDown(t *testing.T) {
	n := newNode(t)
	n.up()
	c := n.cli()
	ps := n.ps(c)
	if ps.Home != n.home.Root() || ps.PID != os.Getpid() || len(ps.Daemons) != len(api.Daemons()) {
		t.Errorf("ps: %+v", ps)
	}
	settings, err := Settings(n.home, n.opts.Config)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range ps.Daemons {
		if d.Daemon != api.Daemons()[i] || d.State != api.DaemonReady || d.PID == 0 || d.Version == "" || d.Restarts != 0 {
			t.Errorf("ps: %+v", d)
		}
		if d.Note != fmt.Sprint("mesh port ", settings.ListenPort) {
			t.Errorf("%s was given other settings: %q", d.Daemon, d.Note)
		}
		if runtime.GOOS == "linux" && d.RSS < 1<<20 {
			t.Errorf("%s: resident memory %d", d.Daemon, d.RSS)
		}
	}
	if err := c.Request(n.within(10*time.Second), api.SubjectDown, api.Empty{}, &api.Empty{}); err != nil {
		t.Errorf("down: %v", err)
	}
	if err := n.ended(); err != nil {
		t.Errorf("run: %v", err)
	}
	for _, d := range ps.Daemons {
		if alive(d.PID) {
			t.Errorf("%s is still there", d.Daemon)
		}
		if _, err := os.Stat(n.home.Socket(d.Daemon)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket of %s is still there", d.Daemon)
		}
	}
	if lock, err := lockfile.Try(n.home.Lock()); err != nil {
		t.Error(err)
	} else {
		lock.Release()
	}
	if n.out.Len() > 0 {
		t.Errorf("printed %q", n.out.String())
	}
}

// What a home gets at its first start stays.
func TestHomeIsKept(t *testing.T) {
	n := newNode(t)
	read := func() map[string]string {
		files := map[string]string{}
		for _, path := range []string{n.home.NodeKey(), n.home.Token(), n.home.Ports(), n.home.BusSeed(api.CLI), n.home.BusSeed(api.Meshd)} {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			fi, err := os.Stat(path)
			if err == nil && runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", path, fi.Mode())
			}
			files[path] = string(b)
		}
		return files
	}
	var first map[string]string
	for i := range 2 {
		n.up()
		if i == 0 {
			first = read()
		} else {
			for path, was := range first {
				if now := read()[path]; now != was {
					t.Errorf("%s has changed", path)
				}
			}
		}
		n.cancel()
		if err := n.ended(); err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func TestSecondLauncherIsRefused(t *testing.T) {
	n := newNode(t)
	n.up()
	err := Run(t.Context(), n.opts)
	if !errors.Is(err, ErrAlreadyUp) || !strings.Contains(err.Error(), n.home.Root()) || !strings.Contains(err.Error(), fmt.Sprint("pid ", os.Getpid())) {
		t.Errorf("got %v, want ErrAlreadyUp with home and pid", err)
	}
	n.ps(n.cli()) // the first is unhurt
}

// kill -9 of any daemon: ready again within 2 s, the others unhurt.
func TestKilledDaemonComesBack(t *testing.T) {
	n := newNode(t)
	n.up()
	c := n.cli()
	time.Sleep(1100 * time.Millisecond) // so that no death is an early one
	before := n.ps(c).Daemons
	for i, d := range before {
		began := time.Now()
		killHard(t, d.PID)
		var now api.DaemonStatus
		for now.State != api.DaemonReady || now.PID == d.PID {
			if time.Since(began) > 2*time.Second {
				b, _ := os.ReadFile(n.home.DaemonLog(d.Daemon))
				t.Fatalf("%s is not back: %+v\n%s", d.Daemon, now, b)
			}
			now = n.ps(c).Daemons[i]
		}
		t.Logf("%s: killed to ready again in %v", d.Daemon, time.Since(began))
	}
	for i, d := range n.ps(c).Daemons {
		if d.Restarts != 1 || d.PID == before[i].PID || !strings.Contains(d.Reason, "kill") {
			t.Errorf("afterwards: %+v", d)
		}
	}
}

func TestRestartRequest(t *testing.T) {
	n := newNode(t)
	n.up()
	c := n.cli()
	old := n.ps(c).Daemons[2]
	restart := func(d api.Daemon) error {
		return c.Request(n.within(40*time.Second), api.SubjectRestart, api.RestartRequest{Daemon: d}, &api.Empty{})
	}
	if err := restart(api.Runnerd); err != nil {
		t.Fatal(err)
	}
	if now := n.ps(c).Daemons[2]; now.State != api.DaemonReady || now.PID == old.PID || now.Restarts != 1 {
		t.Errorf("after the restart: %+v", now)
	}
	n.behaves(api.Runnerd, "misconfigured")
	if err := restart(api.Runnerd); err == nil || !strings.Contains(err.Error(), "not a multiaddr") {
		t.Errorf("restart of a daemon with a wrong setting: %v", err)
	}
	if now := n.ps(c).Daemons[2]; now.State != api.DaemonFailed {
		t.Errorf("it is %+v", now)
	}
	n.behaves(api.Runnerd, "")
	if err := restart(api.Runnerd); err != nil {
		t.Errorf("revive: %v", err)
	}
	var remote *bus.RemoteError
	if err := restart("nosuchd"); !errors.As(err, &remote) {
		t.Errorf("restart of a stranger: %v", err)
	}
}

func TestFirstStartFails(t *testing.T) {
	n := newNode(t)
	n.behaves(api.Meshd, "misconfigured")
	n.start()
	err := n.ended()
	if err == nil || !strings.Contains(err.Error(), "meshd") || !strings.Contains(err.Error(), "bootstrap: not a multiaddr") {
		t.Errorf("got %v", err)
	}
	n.behaves(api.Meshd, "")
	n.up()
}

// While a daemon keeps dying at the start, a person is told why.
func TestFirstStartTellsDeaths(t *testing.T) {
	n := newNode(t)
	n.behaves(api.Casd, "broken")
	n.start()
	time.AfterFunc(2*time.Second, n.cancel)
	if err := n.ended(); err != nil {
		t.Errorf("got %v", err)
	}
	if out := n.out.String(); !strings.Contains(out, "casd has ended (exit status 1: the store is broken)") {
		t.Errorf("printed %q", out)
	}
}

func TestLogsOfDaemons(t *testing.T) {
	n := newNode(t)
	n.up()
	c := n.cli()
	lines := make(chan string, 64)
	stop, err := c.Subscribe(api.SubjectDaemonLog(api.Casd), func(_ string, data []byte) {
		var l api.LogLine
		if err := api.Decode(data, api.MaxMessage, &l); err != nil {
			t.Error(err)
		}
		lines <- l.Stream + " " + l.Line
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := c.Request(n.within(40*time.Second), api.SubjectRestart, api.RestartRequest{Daemon: api.Casd}, &api.Empty{}); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, "at work"); {
		select {
		case line = <-lines:
			if !strings.HasPrefix(line, "stderr ") {
				t.Errorf("line %q", line)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no live line")
		}
	}
	b, err := os.ReadFile(n.home.DaemonLog(api.Casd))
	if err != nil || strings.Count(string(b), "at work") != 2 {
		t.Errorf("the file has %q, %v", b, err)
	}
}

func TestKillChannel(t *testing.T) {
	n := newNode(t)
	n.behaves(api.Upgraded, "stubborn") // the first to be stopped
	n.up()
	pids := n.ps(n.cli()).Daemons
	n.cancel()
	time.Sleep(100 * time.Millisecond)
	select {
	case <-n.done:
		t.Error("it did not wait for a daemon that does not end")
	default:
	}
	began := time.Now()
	close(n.kill)
	if err := n.ended(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("kill took %v", took)
	}
	for _, d := range pids {
		if alive(d.PID) {
			t.Errorf("%s is still there", d.Daemon)
		}
	}
}

func TestTakenPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for flag, set := range map[string]func(*testNode){
		"--http-listen":    func(n *testNode) { n.opts.Config.HTTPListen = addr },
		"--manage-listen":  func(n *testNode) { n.opts.Config.ManageListen = addr },
		"--metrics-listen": func(n *testNode) { n.opts.Config.MetricsListen = addr },
		"--listen-port":    func(n *testNode) { n.opts.Config.ListenPort = taken.Addr().(*net.TCPAddr).Port },
	} {
		n := newNode(t)
		set(n)
		n.start()
		if err := n.ended(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: got %v", flag, err)
		}
	}
	n := newNode(t)
	n.opts.Config.HTTPListen = "127.0.0.1:28080"
	n.opts.Config.ManageListen = n.opts.Config.HTTPListen
	n.start()
	if err := n.ended(); err == nil || !strings.Contains(err.Error(), "-listen") {
		t.Errorf("the same address twice: %v", err)
	}
}

func TestMissingDaemonBinary(t *testing.T) {
	n := newNode(t)
	n.opts.BinDir = t.TempDir()
	n.start()
	if err := n.ended(); err == nil || !strings.Contains(err.Error(), EnvBinDir) || !strings.Contains(err.Error(), "casd") {
		t.Errorf("got %v", err)
	}
}

func TestEnviron(t *testing.T) {
	n := newNode(t)
	n.opts.Config.ListenPort = 4001
	got := environ([]string{"A=1", "REALM_LISTEN_PORT=9", "REALM_HOME=/x", "REALM_LIFELINE=", "REALM_LOG_LEVEL=debug", paths.EnvOwnerKey + "=/k",
		EnvEnrollToken + "=realm1x", "REALM_PASSPHRASE=secret", "REALM_NEW_PASSPHRASE=secret"}, n.home, n.opts.Config)
	want := []string{"A=1", "REALM_LOG_LEVEL=debug", paths.EnvOwnerKey + "=/k", "REALM_LISTEN_PORT=4001",
		"REALM_HTTP_LISTEN=127.0.0.1:0", "REALM_MANAGE_LISTEN=127.0.0.1:0", "REALM_HOME=" + n.home.Root(), "REALM_LIFELINE=1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

var daemons = []string{"casd", "meshd", "runnerd", "gatewayd", "upgraded"}

func readCapped(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, 8<<20))
	return string(b), err
}

// TestOneNode is the README's first minutes on a single machine.
func TestOneNode(t *testing.T) {
	n := startNode(t)
	if !strings.Contains(n.Output(), "/p2p/12D3KooW") {
		t.Errorf("realm up prints no multiaddr with a peer id:\n%s", n.Output())
	}

	t.Run("whoami agrees with the key", func(t *testing.T) {
		var who node.Whoami
		if err := n.JSON(testContext(t), &who, "whoami"); err != nil {
			t.Fatal(err)
		}
		key := strings.TrimSpace(do(t, n, "key", "show"))
		if !strings.HasPrefix(key, "ed25519:") || who.Owner != key || len(who.Peer) != 52 {
			t.Errorf("whoami says %+v, key show %s", who, key)
		}
	})

	t.Run("a function answers exactly", func(t *testing.T) {
		do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
		for arg, want := range map[string]string{"21": "42", "-4": "-8", "4503599627370497": "9007199254740994"} {
			if got := strings.TrimSpace(do(t, n, "fn", "exec", "double", "--", arg)); got != want {
				t.Errorf("fn exec double %s = %s, want %s", arg, got, want)
			}
		}
		status, got := request(t, http.MethodPost, "http://"+n.HTTP+"/exec", `{"name":"double","arg":21}`, jsonType)
		var reply struct{ Result json.Number }
		if err := json.Unmarshal([]byte(got), &reply); err != nil || status != http.StatusOK || reply.Result != "42" {
			t.Errorf("POST /exec: %d %s", status, got)
		}
		if out := do(t, n, "fn", "list"); !strings.Contains(out, "double") {
			t.Errorf("fn list does not know double:\n%s", out)
		}
	})

	t.Run("a function comes from a URL", func(t *testing.T) {
		files := httptest.NewServer(http.FileServer(http.Dir(samplesDir)))
		defer files.Close()
		do(t, n, "fn", "deploy", "--wasm", files.URL+"/double.wasm", "--name", "fetched")
		if got := strings.TrimSpace(do(t, n, "fn", "exec", "fetched", "8")); got != "16" {
			t.Errorf("fetched 8 = %s", got)
		}
		do(t, n, "fn", "rm", "fetched")
		refuse(t, n, []string{"404"}, "fn", "deploy", "--wasm", files.URL+"/nothing.wasm", "--name", "fetched")
	})

	t.Run("an unmodified http.Handler serves", func(t *testing.T) {
		do(t, n, "push", "--name", "hello", "--http", "cgi", "--file", sample("hello-cgi"))
		status, got := request(t, http.MethodPost, "http://"+n.HTTP+"/hello/echo?x=1", "some body", nil)
		if status != http.StatusOK || !strings.Contains(got, "some body") || !strings.Contains(got, "x=1") {
			t.Errorf("POST /hello/echo: %d %s", status, got)
		}
	})

	t.Run("a command runs, logs, stops and goes", func(t *testing.T) {
		do(t, n, "push", "--name", "ticker", "--file", sample("ticker"))
		until(t, "lines of ticker", func(ctx context.Context) error {
			out, err := n.Do(ctx, "logs", "ticker", "--tail", "5")
			if err == nil && !strings.Contains(out, "tick") {
				err = fmt.Errorf("logs: %q", out)
			}
			return err
		})
		do(t, n, "stop", "ticker")
		do(t, n, "start", "ticker")
		do(t, n, "rm", "ticker")
		if out := do(t, n, "status"); strings.Contains(out, "ticker") {
			t.Errorf("status still lists what was removed:\n%s", out)
		}
	})

	t.Run("follow shows new lines", func(t *testing.T) {
		do(t, n, "push", "--name", "follow", "--file", sample("ticker"))
		ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
		defer cancel()
		out := n.CLI(ctx, "logs", "follow", "-f", "--tail", "0").Stdout
		if !strings.Contains(out, "tick") {
			t.Errorf("logs -f printed %q", out)
		}
		do(t, n, "rm", "follow")
	})

	t.Run("daemons log, too", func(t *testing.T) {
		if out := do(t, n, "logs", "meshd", "--tail", "50"); !strings.Contains(out, "daemon=meshd") {
			t.Errorf("logs meshd: %q", out)
		}
	})

	t.Run("status is watched", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(testContext(t), 3*time.Second)
		defer cancel()
		if out := n.CLI(ctx, "status", "--watch").Stdout; !strings.Contains(out, "hello") {
			t.Errorf("status --watch printed %q", out)
		}
	})

	t.Run("management", func(t *testing.T) {
		status, got := request(t, http.MethodGet, "http://"+n.Manage+"/healthz", "", nil)
		if status != http.StatusOK {
			t.Errorf("/healthz: %d %s", status, got)
		}
		_, metrics := request(t, http.MethodGet, "http://"+n.Manage+"/metrics", "", nil)
		for _, d := range daemons {
			if !strings.Contains(metrics, `daemon="`+d+`"`) {
				t.Errorf("/metrics has no series of %s", d)
			}
		}
		_, logs := request(t, http.MethodGet, "http://"+n.Manage+"/logs?component=ticker&tail=10", "", nil)
		if !strings.Contains(logs, "tick") {
			t.Errorf("/logs of ticker: %q", logs)
		}
	})

	t.Run("foreign hosts are refused", func(t *testing.T) {
		for _, addr := range []string{n.HTTP, n.Manage} {
			status, got := request(t, http.MethodGet, "http://"+addr+"/", "", map[string]string{"Host": "evil.example"})
			if status/100 != 4 {
				t.Errorf("%s answers a foreign Host with %d %s", addr, status, got)
			}
		}
	})
}

// TestUpWithProgram brings up a node with the shortest command there is, and a
// program with it.
func TestUpWithProgram(t *testing.T) {
	n := newNode(t, "node", "")
	do(t, n, "init")
	n.Env = []string{"REALM_HTTP_LISTEN=" + n.HTTP, "REALM_MANAGE_LISTEN=" + n.Manage}
	if err := n.Spawn("--wasm", sample("ticker"), "--role", "bench"); err != nil {
		t.Fatal(err)
	}
	until(t, "ticker running", func(ctx context.Context) error { return runsAll(ctx, n, []string{"ticker"}) })
	p, err := n.Peers(testContext(t))
	if err != nil || len(p.Peers) != 1 || !slices.Equal(p.Peers[0].Roles, []string{"bench"}) {
		t.Errorf("peers: %+v, %v", p, err)
	}
}

// TestDaemonsComeBack kills each daemon and wants it ready again, the others unhurt.
func TestDaemonsComeBack(t *testing.T) {
	n := startNode(t)
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	for _, victim := range daemons {
		t.Run(victim, func(t *testing.T) {
			before, err := n.PS(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := n.DaemonPID(testContext(t), victim)
			if err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			until(t, victim+" with another pid", func(ctx context.Context) error {
				now, err := n.DaemonPID(ctx, victim)
				if err == nil && now == pid {
					err = errors.New("the old one still listed")
				}
				return err
			})
			if err := n.WaitReady(testContext(t)); err != nil {
				t.Fatal(err)
			}
			t.Logf("ready again after %v", time.Since(killed).Round(time.Millisecond))
			after, err := n.PS(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range after.Daemons {
				if d.Daemon != victim && d.PID != before.Daemons[i].PID {
					t.Errorf("%s was restarted, too", d.Daemon)
				}
			}
			until(t, "double answers", func(ctx context.Context) error {
				_, err := n.Do(ctx, "fn", "exec", "double", "21")
				return err
			})
		})
	}
	t.Run("restart on request", func(t *testing.T) {
		pid, err := n.DaemonPID(testContext(t), "runnerd")
		if err != nil {
			t.Fatal(err)
		}
		do(t, n, "restart", "runnerd")
		if now, err := n.DaemonPID(testContext(t), "runnerd"); err != nil || now == pid {
			t.Errorf("runnerd has pid %d before and %d after (%v)", pid, now, err)
		}
	})
}

// TestEnds wants nothing left of a node, however it ends, and its home free for the next.
func TestEnds(t *testing.T) {
	ends := map[string]func(*testing.T, *node.Node){
		"realm down": func(t *testing.T, n *node.Node) { do(t, n, "down") },
		"SIGTERM":    func(_ *testing.T, n *node.Node) { _ = n.Signal(syscall.SIGTERM) },
		"Ctrl-C":     func(_ *testing.T, n *node.Node) { _ = n.Signal(os.Interrupt) },
		"two Ctrl-C": func(_ *testing.T, n *node.Node) {
			_ = n.Signal(os.Interrupt)
			time.Sleep(20 * time.Millisecond)
			_ = n.Signal(os.Interrupt)
		},
		"SIGKILL": func(_ *testing.T, n *node.Node) { _ = n.Signal(os.Kill) },
	}
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			n := startNode(t)
			ps, err := n.PS(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			end(t, n)
			select {
			case <-n.Done():
			case <-time.After(30 * time.Second):
				t.Fatalf("realm up still runs; it printed:\n%s", n.Output())
			}
			for _, d := range ps.Daemons {
				until(t, d.Daemon+" gone", func(context.Context) error {
					if syscall.Kill(d.PID, 0) == nil {
						return fmt.Errorf("pid %d lives", d.PID)
					}
					return nil
				})
			}
			start(t, n)
		})
	}
}

// TestUpRefuses wants clear errors for what keeps a node from starting.
func TestUpRefuses(t *testing.T) {
	t.Run("second node in the same home", func(t *testing.T) {
		n := startNode(t)
		refuse(t, n, []string{"already"}, "up", "--http-listen", "127.0.0.1:0", "--manage-listen", "127.0.0.1:0")
		do(t, n, "ps")
	})
	t.Run("taken port", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		n := newNode(t, "node", "")
		refuse(t, n, []string{ln.Addr().String(), "--http-listen"}, "up", "--http-listen", ln.Addr().String(), "--manage-listen", n.Manage)
		refuse(t, n, []string{ln.Addr().String(), "--manage-listen"}, "up", "--http-listen", n.HTTP, "--manage-listen", ln.Addr().String())
	})
	t.Run("paths too long for a Unix socket", func(t *testing.T) {
		n := newNode(t, "node", "")
		long := filepath.Join(t.TempDir(), strings.Repeat("h", 120))
		n.Home = filepath.Join(long, "home")
		n.Env = []string{"XDG_RUNTIME_DIR=" + long}
		refuse(t, n, []string{"too long"}, "up")
		// With a short runtime folder a long home is no trouble.
		n.Env = []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
		do(t, n, "init")
		start(t, n)
		do(t, n, "status")
	})
	t.Run("bad settings", func(t *testing.T) {
		n := newNode(t, "node", "")
		refuse(t, n, []string{"/p2p/"}, "configure", "--bootstrap", "/ip4/127.0.0.1/udp/4001/quic-v1")
		refuse(t, n, []string{"owner"}, "configure", "--owner", "ed25519:nonsense")
		if err := os.MkdirAll(n.Home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(n.Home, "config.toml"), []byte("listen_prot = 4001\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		refuse(t, n, []string{"listen_prot"}, "up")
	})
}

// TestKeepsIdentityAndPorts restarts a node and wants it where it was.
func TestKeepsIdentityAndPorts(t *testing.T) {
	n := startNode(t)
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	before, err := n.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, n)
	after, err := n.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Errorf("address %s became %s", before, after)
	}
	until(t, "double answers after a restart", func(ctx context.Context) error {
		_, err := n.Do(ctx, "fn", "exec", "double", "21")
		return err
	})
}

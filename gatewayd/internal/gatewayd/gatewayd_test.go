package gatewayd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/daemon"
	"github.com/realm-mesh/realm/internal/kit/local"
)

var (
	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	hello  = api.Ref{Kind: api.KindComponent, Name: "hello"}
)

func TestDaemon(t *testing.T) {
	l := newLauncher(t)
	standin.Serve(t, l.home, api.Runnerd, runnerd("here"))
	mesh := &standin.Meshd{}
	standin.Serve(t, l.home, api.Meshd, mesh)
	far := standin.Peer(9)
	mesh.Connect(far, runnerd("far"))
	l.peer(l.self, true)
	l.fact(double, l.self, api.StateRunning)
	p := start(t, l.home).ready(l)

	if status, body := p.exec(`{"name":"double","arg":1}`); status != http.StatusOK || body != "{\"result\":\"here\"}\n" {
		t.Errorf("what ran before the gateway began: %d %s", status, body)
	}
	l.peer(far, true)
	l.fact(hello, far, api.StateRunning)
	until(t, "hello answers", func() bool {
		status, body := ask(t, http.MethodGet, "http://"+p.http+"/hello/x", "", "")
		return status == http.StatusOK && body == "far /components/hello/x"
	})
	l.fact(double, l.self, api.StateStopped)
	l.fact(double, far, api.StateRunning)
	until(t, "double answers from afar", func() bool {
		_, body := p.exec(`{"name":"double","arg":1}`)
		return body == "{\"result\":\"far\"}\n"
	})
	// What is no fact is left aside, and hurts no other.
	l.put(api.BucketWorkloads, "nonsense", []byte("x"))
	l.put(api.BucketWorkloads, api.KeyWorkload(hello, l.self), []byte("{"))
	l.put(api.BucketWorkloads, api.KeyWorkload(hello, standin.Peer(8)), api.WorkloadFact{Ref: double, Peer: l.self, State: api.StateRunning})
	l.put(api.BucketPeers, "nonsense", []byte("x"))
	l.put(api.BucketPeers, string(standin.Peer(8)), []byte("{"))
	l.peer(far, false)
	until(t, "a peer that has left is not asked", func() bool {
		status, _ := p.exec(`{"name":"double","arg":1}`)
		return status == http.StatusServiceUnavailable
	})
	// Daemons of a newer version may say more than this one knows.
	l.put(api.BucketPeers, string(far), []byte(fmt.Sprintf(`{"peer":%q,"connected":true,"mood":"good"}`, far)))
	l.put(api.BucketWorkloads, api.KeyWorkload(double, far), []byte(fmt.Sprintf(`{"kind":"function","name":"double","peer":%q,"state":"running","cost":{"cpu":1}}`, far)))
	until(t, "what a newer version says counts", func() bool {
		status, _ := p.exec(`{"name":"double","arg":1}`)
		return status == http.StatusOK
	})

	t.Run("management", func(t *testing.T) {
		if status, body := ask(t, http.MethodGet, "http://"+p.manage+"/healthz", "", ""); status != http.StatusOK {
			t.Errorf("healthz: %d %s", status, body)
		}
		status, body := ask(t, http.MethodGet, "http://"+p.manage+"/metrics", "", "")
		for _, want := range []string{"\ngateway_requests_total ", "\nnebula_edge_peers 1\n", `realm_daemon_up{daemon="gatewayd"} 1`,
			`realm_daemon_up{daemon="casd"} 0`, `realm_daemon_restarts{daemon="casd"} 0`} {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("metrics: %d, no %q", status, want)
			}
		}
		l.mu.Lock()
		l.ps.Daemons[1].State = api.DaemonFailed
		l.mu.Unlock()
		for _, path := range []string{"/healthz", "/readyz"} {
			if status, body := ask(t, http.MethodGet, "http://"+p.manage+path, "", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "meshd is failed") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	})
	t.Run("foreign hosts", func(t *testing.T) {
		for _, addr := range []string{p.http, p.manage} {
			if status, body := ask(t, http.MethodGet, "http://"+addr+"/", "", "evil.example"); status != http.StatusMisdirectedRequest {
				t.Errorf("%s: %d %s", addr, status, body)
			}
		}
	})
	t.Run("socket", func(t *testing.T) {
		c := standin.Client(t, l.home)
		req := api.ExecRequest{Name: "double", Arg: []byte("1")}
		reply := new(api.CallReply)
		if err := local.Call(t.Context(), c, http.MethodPost, local.URL(api.Gatewayd, "/exec"), req, reply, api.MaxMessage); err != nil || string(reply.Result) != `"far"` {
			t.Errorf("%s %v", reply.Result, err)
		}
		list := new(api.FunctionsReply)
		if err := local.Call(t.Context(), c, http.MethodGet, local.URL(api.Gatewayd, "/functions"), nil, list, api.MaxMessage); err != nil || len(list.Functions) != 1 {
			t.Errorf("%+v %v", list, err)
		}
		bare := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", l.home.Socket(api.Gatewayd))
		}}}
		resp, err := bare.Get("http://gatewayd/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("without the home's token: %s", resp.Status)
		}
	})
	t.Run("the bus goes and comes", func(t *testing.T) {
		followed := p.follow("/logs?component=__all__&follow=1")
		defer func() {
			var why struct{ Why string }
			followed.want("incomplete", &why)
			if !strings.Contains(why.Why, "bus was away") {
				t.Errorf("a follower is told %+v", why)
			}
			followed.Body.Close()
		}()
		l.stopBus()
		if status, body := p.exec(`{"name":"double","arg":1}`); status != http.StatusOK {
			t.Errorf("while the bus is away: %d %s", status, body)
		}
		if status, body := ask(t, http.MethodGet, "http://"+p.manage+"/healthz", "", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "bus") {
			t.Errorf("healthz: %d %s", status, body)
		}
		l.startBus()
		l.peer(far, true)
		triple := api.Ref{Kind: api.KindFunction, Name: "triple"}
		l.fact(triple, far, api.StateRunning)
		until(t, "new facts count", func() bool {
			status, _ := p.exec(`{"name":"triple","arg":1}`)
			return status == http.StatusOK
		})
		// Nobody has said yet that double is no more: for a while it may come back.
		status, _ := p.exec(`{"name":"double","arg":1}`)
		if status != http.StatusServiceUnavailable {
			t.Errorf("what was lost with the bus: %d", status)
		}
		until(t, "old ones are gone", func() bool {
			status, _ := p.exec(`{"name":"double","arg":1}`)
			return status == http.StatusNotFound
		})
	})
}

func TestStops(t *testing.T) {
	for name, stop := range map[string]func(*process) error{
		"SIGTERM":   func(p *process) error { return p.cmd.Process.Signal(syscall.SIGTERM) },
		"life-line": func(p *process) error { return p.lifeline.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLauncher(t)
			entered, release := make(chan struct{}), make(chan struct{})
			standin.Serve(t, l.home, api.Runnerd, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(entered)
				<-release
				fmt.Fprint(w, `{"result":1}`)
			}))
			l.fact(double, l.self, api.StateRunning)
			p := start(t, l.home).ready(l)
			answer := make(chan string, 1)
			go func() {
				_, body := p.exec(`{"name":"double","arg":1}`)
				answer <- body
			}()
			<-entered
			if err := stop(p); err != nil {
				t.Fatal(err)
			}
			until(t, "no new connections", func() bool {
				c, err := net.Dial("tcp", p.http)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			close(release)
			if got := <-answer; got != "{\"result\":1}\n" {
				t.Errorf("what was in flight got %q", got)
			}
			if code := p.exit(); code != daemon.ExitOK {
				t.Errorf("exit code %d:\n%s", code, p.output())
			}
		})
	}
}

// TestStopIsBounded stops while a program never answers.
func TestStopIsBounded(t *testing.T) {
	l := newLauncher(t)
	entered := make(chan struct{})
	standin.Serve(t, l.home, api.Runnerd, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return // which asks whether it is there
		}
		_, _ = io.ReadAll(r.Body) // only then the server sees the client leave
		close(entered)
		<-r.Context().Done()
	}))
	l.fact(double, l.self, api.StateRunning)
	p := start(t, l.home).ready(l)
	answer := make(chan int, 1)
	go func() {
		status, _ := p.exec(`{"name":"double","arg":1}`)
		answer <- status
	}()
	<-entered
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(); code != daemon.ExitOK || time.Since(begun) > 2*stopGrace {
		t.Errorf("exit code %d after %v:\n%s", code, time.Since(begun), p.output())
	}
	if status := <-answer; status == http.StatusOK {
		t.Error("what never ended is answered as well")
	}
}

func TestBadAddresses(t *testing.T) {
	l := newLauncher(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for name, c := range map[string]struct {
		env  string
		want []string
	}{
		"taken":                 {"REALM_HTTP_LISTEN=" + addr, []string{addr + " is taken by another program", "realm up --http-listen HOST:PORT"}},
		"taken, management":     {"REALM_MANAGE_LISTEN=" + addr, []string{addr + " is taken by another program", "realm up --manage-listen HOST:PORT"}},
		"management for all":    {"REALM_MANAGE_LISTEN=:0", []string{"this machine only", "--manage-listen 127.0.0.1:PORT"}},
		"management for others": {"REALM_MANAGE_LISTEN=0.0.0.0:0", []string{"this machine only"}},
		"management by a name":  {"REALM_MANAGE_LISTEN=example.com:0", []string{"this machine only"}},
		"taken, metrics":        {"REALM_METRICS_LISTEN=" + addr, []string{addr + " is taken by another program", "realm up --metrics-listen HOST:PORT"}},
		"no port":               {"REALM_HTTP_LISTEN=127.0.0.1", []string{"http_listen", "HOST:PORT"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, l.home, c.env)
			if code := p.exit(); code != daemon.ExitConfig {
				t.Errorf("exit code %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(p.output(), want) {
					t.Errorf("%q is not in:\n%s", want, p.output())
				}
			}
		})
	}
}

// TestOtherAddresses listens on all interfaces: what a browser of another machine
// names is this machine's address.
func TestOtherAddresses(t *testing.T) {
	own := ownAddress()
	if own == "" {
		t.Skip("this machine has no address but loopback")
	}
	l := newLauncher(t)
	p := start(t, l.home, "REALM_HTTP_LISTEN=:0").ready(l)
	_, port, _ := net.SplitHostPort(p.http)
	url := "http://" + net.JoinHostPort(own, port) + "/"
	for host, want := range map[string]int{
		"":                               http.StatusOK,
		"localhost:" + port:              http.StatusOK,
		"192.0.2.1:" + port:              http.StatusMisdirectedRequest,
		own + ".evil.example:" + port:    http.StatusMisdirectedRequest,
		"realm.evil.example":             http.StatusMisdirectedRequest,
		net.JoinHostPort("0.0.0.0", "1"): http.StatusMisdirectedRequest,
	} {
		if status, body := ask(t, http.MethodGet, url, "", host); status != want {
			t.Errorf("%q: %d %s", host, status, body)
		}
	}
}

// TestMetricsForOthers has a scraper that knows the node by a name of its own.
func TestMetricsForOthers(t *testing.T) {
	l := newLauncher(t)
	p := start(t, l.home, "REALM_METRICS_LISTEN=:0")
	note := p.ready(l).note
	_, port, err := net.SplitHostPort(note[strings.LastIndex(note, "http://")+len("http://"):])
	if err != nil || !strings.Contains(note, "metrics for others at http://") {
		t.Fatalf("note %q: %v", note, err)
	}
	url := "http://127.0.0.1:" + port
	status, body := ask(t, http.MethodGet, url+"/metrics", "", "node-7.example:9921")
	if status != http.StatusOK || !strings.Contains(body, "\nagent_version{version=\"v0.0.0-dev\"} 1\n") || !strings.Contains(body, "\ngateway_requests_total ") {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/", "/logs", "/healthz", "/readyz", "/events", "/exec", "/metrics/", "/debug/pprof/"} {
		if status, body := ask(t, http.MethodGet, url+path, "", ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := ask(t, http.MethodPost, url+"/metrics", "", ""); status != http.StatusNotFound {
		t.Errorf("POST: %d", status)
	}
}

func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	return ""
}

package service_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// programs are the services of a node: those listen on TCP, as real ones do.
type programs map[api.Name][]jobs.Serving

func (p programs) Serving(job api.Name) ([]jobs.Serving, error) {
	switch all, ok := p[job]; {
	case !ok:
		return nil, jobs.ErrNoService
	case len(all) == 0:
		return nil, jobs.ErrNotReady
	default:
		return all, nil
	}
}

// program is one run.
type program struct {
	addr  string
	dials atomic.Int32
	ports sync.Map
	err   error
}

func (p *program) Dial(ctx context.Context, port api.Name) (net.Conn, error) {
	p.dials.Add(1)
	p.ports.Store(port, true)
	if p.err != nil {
		return nil, p.err
	}
	return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
}

func run(n int, p *program) jobs.Serving {
	return jobs.Serving{Exec: api.Exec{Root: api.Sum([]byte("web")), Run: api.NewRunKey(time.Time{}, n), Epoch: 1}, Server: p}
}

// serve has programs reached as they are in runnerd, and returns where.
func serve(t *testing.T, all programs) string {
	t.Helper()
	h := service.New(all, slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	mux.Handle(api.RouteService, h)
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.Close(); h.Close() })
	return srv.URL
}

// listening has a program of this process listen.
func listening(t *testing.T, h http.HandlerFunc) *program {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &program{addr: srv.Listener.Addr().String()}
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestRequests(t *testing.T) {
	p := listening(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Realm-Not-Accepted", "1")
		w.Header().Set("Location", "/login")
		fmt.Fprintf(w, "%s %q %q %q", r.URL.RequestURI(), r.Header.Get("Realm-Peer"), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Prefix"))
	})
	url := serve(t, programs{"web-1": {run(0, p)}})
	for path, want := range map[string]string{
		"/services/web-1/~/":           `/ "" "192.0.2.1" "/web"`,
		"/services/web-1/http/a%2Fb/c": `/a%2Fb/c "" "192.0.2.1" "/web"`,
		"/services/web-1/http/?":       `/? "" "192.0.2.1" "/web"`,
		"/services/web-1/~/x?a=b&c":    `/x?a=b&c "" "192.0.2.1" "/web"`,
	} {
		resp, body := get(t, url+path, "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Prefix: /web", "Realm-Peer: x")
		if body != want || resp.StatusCode != http.StatusOK || resp.Header.Get(api.HeaderNotAccepted) != "" || resp.Header.Get("Location") != "/web/login" {
			t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
	}
	if n := p.dials.Load(); n > 2 {
		t.Errorf("%d connections for two ports", n)
	}
}

// TestTurns has the runs of a service on a node take turns.
func TestTurns(t *testing.T) {
	var all []jobs.Serving
	for i := range 3 {
		all = append(all, run(i, listening(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i) })))
	}
	url, seen := serve(t, programs{"web-1": all}), map[string]int{}
	for range 9 {
		_, body := get(t, url+"/services/web-1/~/")
		seen[body]++
	}
	if seen["0"] != 3 || seen["1"] != 3 || seen["2"] != 3 {
		t.Errorf("%v", seen)
	}
}

func TestFailures(t *testing.T) {
	broken := listening(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	url := serve(t, programs{"early-1": nil, "broken-1": {run(0, broken)},
		"away-1":   {run(1, &program{addr: "127.0.0.1:1"})},
		"stolen-1": {run(2, &program{err: errors.New("another program listens on port 80")})}})
	for job, want := range map[string]struct {
		status   int
		accepted string
		says     string
	}{
		"none-1":   {http.StatusNotFound, api.NotAcceptedUnknown, "not on this node"},
		"early-1":  {http.StatusServiceUnavailable, "1", "not ready"},
		"away-1":   {http.StatusServiceUnavailable, "1", "refused"},
		"stolen-1": {http.StatusServiceUnavailable, "1", "another program"},
		"broken-1": {http.StatusBadGateway, "", "realm job logs broken-1"},
		"NO":       {http.StatusBadRequest, "", "name"},
	} {
		resp, body := get(t, url+"/services/"+job+"/~/")
		if resp.StatusCode != want.status || resp.Header.Get(api.HeaderNotAccepted) != want.accepted || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %v %s", job, resp.StatusCode, resp.Header, body)
		}
	}
}

// TestUpgrade talks both ways over an upgraded connection.
func TestUpgrade(t *testing.T) {
	p := listening(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	url := serve(t, programs{"web-1": {run(0, p)}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /services/web-1/~/s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v", resp, err)
	}
	for range 3 {
		fmt.Fprint(conn, "to and fro\n")
		if line, err := in.ReadString('\n'); err != nil || line != "to and fro\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ready(ds ...api.Daemon) *api.PSReply {
	r := new(api.PSReply)
	for _, d := range ds {
		r.Daemons = append(r.Daemons, api.DaemonStatus{Daemon: d, State: api.DaemonReady, Restarts: 2})
	}
	return r
}

// served is a management listener over n, whose missing parts it fills in.
func served(t *testing.T, n Node) (get func(path string) (*http.Response, string)) {
	t.Helper()
	if n.PS == nil {
		n.PS = func(context.Context) (*api.PSReply, error) { return ready(api.Daemons()...), nil }
	}
	if n.Connected == nil {
		n.Connected = func() bool { return true }
	}
	if n.Complete == nil {
		n.Complete = func() bool { return true }
	}
	if n.Own == nil {
		n.Own = prometheus.NewRegistry()
	}
	n.Log = slog.New(slog.DiscardHandler)
	srv := httptest.NewServer(New(n))
	t.Cleanup(srv.Close)
	client := srv.Client()
	return func(path string) (*http.Response, string) {
		t.Helper()
		resp, err := client.Get(srv.URL + path)
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
}

// TestMetricsOfAll has real registries behind real sockets, one daemon that hangs,
// one that is not there and one that talks nonsense.
func TestMetricsOfAll(t *testing.T) {
	home := standin.Home(t)
	registry := func() *prometheus.Registry {
		r := telemetry.NewRegistry()
		requests := prometheus.NewCounter(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."})
		times := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "times_seconds", Help: "Times."}, []string{"kind"})
		r.MustRegister(requests, times)
		requests.Inc()
		times.WithLabelValues("a").Observe(1)
		times.WithLabelValues("b").Observe(2)
		return r
	}
	standin.Serve(t, home, api.Casd, promhttp.HandlerFor(registry(), promhttp.HandlerOpts{}))
	standin.Serve(t, home, api.Meshd, promhttp.HandlerFor(registry(), promhttp.HandlerOpts{}))
	standin.Serve(t, home, api.Runnerd, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	nonsense := standin.Serve(t, home, api.Upgraded, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	get := served(t, Node{Client: standin.Client(t, home), Own: registry()})

	begun := time.Now()
	resp, body := get("/metrics")
	if took := time.Since(begun); took < askTimeout/2 || took > 3*askTimeout {
		t.Errorf("a daemon that hangs holds the page for %v", took)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%s %v\n%s", resp.Status, resp.Header, body)
	}
	families, err := parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range families {
		for _, s := range f.Metric {
			id := identity(f.GetName(), s.Label)
			if seen[id] {
				t.Errorf("%s comes twice", id)
			}
			seen[id] = true
		}
	}
	if n := strings.Count(body, "# TYPE requests_total counter"); n != 1 {
		t.Errorf("the family is there %d times", n)
	}
	for _, want := range []string{
		`requests_total{daemon="casd"} 1`, `requests_total{daemon="meshd"} 1`, `requests_total{daemon="gatewayd"} 1`,
		`times_seconds_count{daemon="casd",kind="a"} 1`, `times_seconds_sum{daemon="gatewayd",kind="b"} 2`,
		`go_goroutines{daemon="casd"} `, `process_resident_memory_bytes{daemon="gatewayd"} `,
		`realm_daemon_up{daemon="casd"} 1`, `realm_daemon_up{daemon="gatewayd"} 1`, `realm_daemon_up{daemon="launcher"} 1`,
		`realm_daemon_up{daemon="runnerd"} 0`, `realm_daemon_up{daemon="upgraded"} 0`,
		`realm_daemon_restarts{daemon="runnerd"} 2`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%s is not there", want)
		}
	}
	nonsense()
	if _, body := get("/metrics"); !strings.Contains(body, `realm_daemon_up{daemon="upgraded"} 0`) {
		t.Error("a daemon that is not there is said to be up")
	}
}

func TestMetricsWithoutLauncher(t *testing.T) {
	home := standin.Home(t)
	get := served(t, Node{Client: standin.Client(t, home), PS: func(context.Context) (*api.PSReply, error) { return nil, errors.New("away") }})
	resp, body := get("/metrics")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `realm_daemon_up{daemon="launcher"} 0`) || strings.Contains(body, "realm_daemon_restarts") {
		t.Errorf("%s\n%s", resp.Status, body)
	}
}

func TestHealth(t *testing.T) {
	all := api.Daemons()
	for name, c := range map[string]struct {
		ps        *api.PSReply
		err       error
		connected bool
		status    int
		want      []string // in the body
	}{
		"well":       {ps: ready(all...), connected: true, status: 200, want: []string{`"ok":true`, `"bus":true`, `"meshd":"ready"`}},
		"no bus":     {ps: ready(all...), status: 503, want: []string{`"ok":false`, "bus is not reachable"}},
		"no answer":  {err: errors.New("nobody answers"), connected: true, status: 503, want: []string{"launcher", "nobody answers"}},
		"one missed": {ps: ready(all[1:]...), connected: true, status: 503, want: []string{"casd is not known"}},
		"one ended": {ps: &api.PSReply{Daemons: append(ready(all[:4]...).Daemons,
			api.DaemonStatus{Daemon: all[4], State: api.DaemonBackoff, Reason: "exit status 1"})}, connected: true, status: 503,
			want: []string{"upgraded is backoff (exit status 1)", "realm logs upgraded", `"upgraded":"backoff"`, `"casd":"ready"`}},
	} {
		t.Run(name, func(t *testing.T) {
			get := served(t, Node{
				PS:        func(context.Context) (*api.PSReply, error) { return c.ps, c.err },
				Connected: func() bool { return c.connected },
			})
			resp, body := get("/healthz")
			if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body)) {
				t.Errorf("%s %s", resp.Status, body)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("%q is not in %s", want, body)
				}
			}
		})
	}
}

func TestIndexAndNothing(t *testing.T) {
	get := served(t, Node{})
	if resp, body := get("/"); resp.StatusCode != http.StatusOK || !strings.Contains(body, "/healthz") || resp.Header.Get("Content-Type") != textType {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, path := range []string{"/nothing", "/metrics/", "/logs/x", "/exec"} {
		if resp, body := get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

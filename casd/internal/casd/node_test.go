package casd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/task"
)

const mib = api.MaxChunk

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a daemon of a home of its own, on its real socket.
type node struct {
	t      *testing.T
	home   paths.Home
	client *http.Client
	bus    *fakeBus
	needs  *realm
	daemon *Daemon
	url    string // of the daemon, for client
}

// start runs a daemon in dir until the test ends. Fetches find peers in bus.
func start(t *testing.T, dir string, change func(*Config)) *node {
	t.Helper()
	return launch(t, dir, change, func(*parts) {})
}

// launch is start of a daemon that is made from other parts.
func launch(t *testing.T, dir string, change func(*Config), other func(*parts)) *node {
	t.Helper()
	home, err := paths.Open(dir)
	if err == nil {
		err = errors.Join(home.Create(), local.CreateToken(home))
	}
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, home: home, bus: &fakeBus{}, needs: &realm{}, url: local.URL(api.Casd, "")}
	if n.client, err = local.NewClient(home); err != nil {
		t.Fatal(err)
	}
	ln, err := local.Listen(home, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Fetch.Patience, cfg.Ask = time.Second, time.Second
	cfg.Quota = 1 << 40
	if change != nil {
		change(&cfg)
	}
	metrics := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.Handle(api.RouteMetrics, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	ready := make(chan string, 1)
	p := parts{cfg: cfg, dir: home.State(api.Casd), bus: n.bus, client: n.client, needs: n.needs, mux: mux, metrics: metrics,
		ready: func(_ context.Context, note string) error { ready <- note; return nil },
		log:   slog.New(slog.NewTextHandler(t.Output(), nil))}
	other(&p)
	n.daemon = build(p)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- task.Run(ctx, n.daemon.Run, func(ctx context.Context) error {
			return local.Serve(ctx, home, local.ReceiveFiles(ln), mux, time.Second)
		})
	}()
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return n
}

// patient lets others take their time: a busy machine is no full disk.
func patient(c *Config) { c.Fetch.Patience = 30 * time.Second }

// peers makes n's meshd, which leads to other nodes, and tells of them as providers.
func (n *node) peers(others map[api.PeerID]*node) {
	n.t.Helper()
	n.mesh(peerID("A"), others, http.NewServeMux())
}

// mesh makes the meshd of a node whose id is self: a server on its socket that leads to
// other nodes, and answers as mux does to all else.
func (n *node) mesh(self api.PeerID, others map[api.PeerID]*node, mux *http.ServeMux) {
	n.t.Helper()
	ln, err := local.Listen(n.home, api.Meshd)
	if err != nil {
		n.t.Fatal(err)
	}
	mux.HandleFunc(api.RoutePeer, func(w http.ResponseWriter, r *http.Request) {
		other := others[api.PeerID(r.PathValue("peer"))]
		if other == nil {
			local.WriteError(w, http.StatusBadGateway, errors.New("not connected"))
			return
		}
		(&httputil.ReverseProxy{Transport: other.client.Transport, FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.URL.Path = "http", string(api.Casd), "/"+r.PathValue("path")
			p.Out.Header.Set(local.HeaderPeer, string(self))
		}}).ServeHTTP(w, r)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- local.Serve(ctx, n.home, ln, mux, time.Second) }()
	n.t.Cleanup(func() {
		n.client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			n.t.Error(err)
		}
	})
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.bus.providers = append(n.bus.providers, slices.Sorted(maps.Keys(others))...)
}

func peerID(name string) api.PeerID {
	return api.PeerID("12D3KooW" + strings.Repeat("Q", 36) + strings.Repeat(name, 8))
}

// fakeBus answers as meshd would.
type fakeBus struct {
	providers []api.PeerID

	mu        sync.Mutex
	err       error
	announced [][]api.Digest
	full      bool // as it was told last
}

func (b *fakeBus) RequestRetry(ctx context.Context, subject string, req any, reply api.Validator) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	switch subject {
	case api.SubjectProviders:
		reply.(*api.ProvidersReply).Peers = b.providers
		return nil
	case api.SubjectAnnounce:
		r := req.(api.AnnounceRequest)
		b.announced = append(b.announced, slices.Clone(r.Blobs))
		b.full = r.Full
		return r.Validate()
	}
	return errors.New("unknown subject " + subject)
}

// do sends a request and returns the answer with its whole body.
func (n *node) do(method, path string, body io.Reader, header ...string) (*http.Response, []byte) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := n.client.Do(req)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, b
}

func (n *node) put(b []byte) api.Digest {
	n.t.Helper()
	resp, body := n.do(http.MethodPut, "/blobs?sha256="+api.Sum(b).String(), bytes.NewReader(b))
	var info api.BlobInfo
	if err := api.Decode(body, 1<<10, &info); resp.StatusCode != http.StatusOK || err != nil || info != (api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}) {
		n.t.Fatalf("put: %s %s", resp.Status, body)
	}
	return info.SHA256
}

// refuse checks that a request is answered with status and an error that holds text.
func (n *node) refuse(status int, text, method, path string, body io.Reader) {
	n.t.Helper()
	resp, b := n.do(method, path, body)
	var e api.ErrorReply
	if err := api.Decode(b, 64<<10, &e); err != nil || resp.StatusCode != status || !strings.Contains(e.Error, text) {
		n.t.Errorf("%s %s: %s %s; want %d with %q", method, path, resp.Status, b, status, text)
	}
}

// measures checks that GET /metrics has these lines.
func (n *node) measures(lines ...string) {
	n.t.Helper()
	_, b := n.do(http.MethodGet, "/metrics", nil)
	for _, line := range lines {
		if !strings.Contains(string(b), "\nrealm_casd_"+line+"\n") {
			n.t.Errorf("no metric %q in:\n%s", line, b)
		}
	}
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

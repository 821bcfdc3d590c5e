package bridge

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

var realm = api.NewRealmID(make(ed25519.PublicKey, 32))

func newHost(t *testing.T) host.Host {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: realm, Version: "test", Judge: allMembers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// accountWithin is how long the callee's runnerd may take over an account.
const accountWithin = time.Second

// world is two nodes. Requests to caller's meshd go over libp2p to callee, whose
// daemons are one handler.
type world struct {
	caller, callee host.Host
	url            string // of the caller's meshd
}

// newWorld makes one; daemon answers for all daemons of the callee, whose name is
// the host that it is called by.
func newWorld(t *testing.T, daemon http.Handler) *world {
	t.Helper()
	daemons := httptest.NewServer(daemon)
	t.Cleanup(daemons.Close)
	local := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", daemons.Listener.Addr().String())
	}}
	t.Cleanup(local.CloseIdleConnections)

	w := &world{caller: newHost(t), callee: newHost(t)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	for s, h := range map[api.Service]http.Handler{api.ServiceBlob: Blobs(local, quiet), api.ServiceCall: Calls(local, quiet), api.ServiceNode: Accounts(local, accountWithin, quiet)} {
		srv := streams.Listen(w.callee, realm, s, h, quiet)
		go func() { ended <- srv.Run(ctx, time.Second) }()
	}
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	if err := w.callee.Network().Listen(ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")); err != nil {
		t.Fatal(err)
	}
	if err := w.caller.Connect(t.Context(), peer.AddrInfo{ID: w.callee.ID(), Addrs: w.callee.Addrs()}); err != nil {
		t.Fatal(err)
	}
	transports := map[api.Service]http.RoundTripper{}
	for _, s := range []api.Service{api.ServiceBlob, api.ServiceCall, api.ServiceNode} {
		tr := streams.NewTransport(w.caller, realm, s, 0)
		t.Cleanup(tr.CloseIdleConnections)
		transports[s] = tr
	}
	self, err := p2p.ID(w.caller.ID())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(api.RoutePeer, Peers(self, transports, map[api.Service]time.Duration{api.ServiceNode: 3 * accountWithin}, quiet))
	w.url = serve(t, mux)
	return w
}

// serve answers on loopback with h.
func serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func (w *world) path(t *testing.T, s api.Service, path string) string {
	t.Helper()
	id, err := p2p.ID(w.callee.ID())
	if err != nil {
		t.Fatal(err)
	}
	return w.url + api.PathPeer(id, s, path)
}

func do(t *testing.T, method, url string, header http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
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

// TestAllowList asks for what members offer each other, and for all else that a
// daemon would answer.
func TestAllowList(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%s%s", r.Host, r.URL.EscapedPath())
	}))
	sum := api.Sum([]byte("x")).String()
	const offered, refused = http.StatusOK, http.StatusForbidden
	for _, c := range []struct {
		method  string
		service api.Service
		path    string
		want    int
	}{
		{"GET", api.ServiceBlob, "/blobs/" + sum, offered},
		{"HEAD", api.ServiceBlob, "/blobs/" + sum, offered},
		{"GET", api.ServiceBlob, "/blobs/" + sum + "/index", offered},
		{"GET", api.ServiceBlob, "/chunks/" + sum, offered},
		{"GET", api.ServiceBlob, "/blobs/" + sum + "/have", offered},
		{"POST", api.ServiceBlob, "/chunks", offered},
		{"GET", api.ServiceBlob, "/chunks", refused},
		{"POST", api.ServiceBlob, "/chunks/", refused},
		{"POST", api.ServiceBlob, "/chunks/" + sum, refused},
		{"POST", api.ServiceBlob, "/blobs/" + sum + "/have", refused},
		{"GET", api.ServiceBlob, "/blobs/" + sum + "/copies", refused},
		{"GET", api.ServiceBlob, "/transfers", refused},
		{"GET", api.ServiceBlob, "/storage", refused},
		{"POST", api.ServiceBlob, "/storage/gc", refused},
		{"POST", api.ServiceBlob, "/storage/verify", refused},
		{"POST", api.ServiceBlob, "/files/import", refused},
		{"POST", api.ServiceBlob, "/files/export", refused},
		{"POST", api.ServiceBlob, "/chunks/%2e%2e/files/export", refused},
		{"GET", api.ServiceBlob, "/files/import", refused},
		{"POST", api.ServiceCall, "/files/import", refused},
		{"POST", api.ServiceNode, "/files/export", refused},
		{"PUT", api.ServiceBlob, "/pins/" + sum, refused},
		{"DELETE", api.ServiceBlob, "/pins/" + sum, refused},
		{"PUT", api.ServiceBlob, "/blobs", refused},
		{"GET", api.ServiceBlob, "/blobs", refused},
		{"POST", api.ServiceBlob, "/blobs/" + sum + "/fetch", refused},
		{"GET", api.ServiceBlob, "/blobs/" + sum + "/fetch", refused},
		{"DELETE", api.ServiceBlob, "/blobs/" + sum, refused},
		{"GET", api.ServiceBlob, "/blobs/" + strings.ToUpper(sum), refused},
		{"GET", api.ServiceBlob, "/blobs/" + sum[1:], refused},
		{"GET", api.ServiceBlob, "/blobs/" + sum + "/", refused},
		{"GET", api.ServiceBlob, "/chunks/" + sum + "/index", refused},
		{"GET", api.ServiceBlob, "/metrics", refused},
		{"GET", api.ServiceBlob, "/functions/double", refused},
		{"POST", api.ServiceCall, "/functions/double", offered},
		{"GET", api.ServiceCall, "/functions/double", refused},
		{"POST", api.ServiceCall, "/functions/double/x", refused},
		{"POST", api.ServiceCall, "/functions/Double", refused},
		{"GET", api.ServiceCall, "/components/web", offered},
		{"PATCH", api.ServiceCall, "/components/web/", offered},
		{"DELETE", api.ServiceCall, "/components/web/a/b%2Fc%20d", offered},
		{"GET", api.ServiceCall, "/components/", refused},
		{"GET", api.ServiceCall, "/components/web/%2e%2e/%2e%2e/metrics", refused},
		{"GET", api.ServiceCall, "/components/web/%2E%2E%2Fmetrics", refused},
		{"GET", api.ServiceCall, "/components/%2e/x", refused},
		{"GET", api.ServiceCall, "/metrics", refused},
		{"GET", api.ServiceCall, "/blobs/" + sum, refused},
		{"GET", api.ServiceCall, "/workloads/component/web", refused},
		{"GET", api.ServiceNode, "/workloads/component/web", offered},
		{"GET", api.ServiceNode, "/workloads/function/double", offered},
		{"POST", api.ServiceNode, "/workloads/component/web", refused},
		{"GET", api.ServiceNode, "/workloads/component", refused},
		{"GET", api.ServiceNode, "/workloads/component/", refused},
		{"GET", api.ServiceNode, "/workloads/component/web/", refused},
		{"GET", api.ServiceNode, "/workloads/component/Web", refused},
		{"GET", api.ServiceNode, "/workloads/component/%2e%2e", refused},
		{"GET", api.ServiceNode, "/workloads/manifest/web", refused},
		{"GET", api.ServiceNode, "/workloads/member/web", refused},
		{"GET", api.ServiceNode, "/components/web", refused},
		{"GET", api.ServiceNode, "/metrics", refused},
		{"GET", api.ServiceSync, "/intents", http.StatusNotFound},
		{"GET", "nonsense", "/blobs/" + sum, http.StatusNotFound},
	} {
		resp, body := do(t, c.method, w.path(t, c.service, c.path), nil, nil)
		if resp.StatusCode != c.want {
			t.Errorf("%s %s of %s: %d %s; want %d", c.method, c.path, c.service, resp.StatusCode, body, c.want)
		}
		if want := strings.TrimPrefix(w.url, "http://") + c.path; c.want == offered && c.method != "HEAD" && body != want {
			t.Errorf("%s %s arrives as %s; want %s", c.method, c.path, body, want)
		}
		if c.want != offered {
			var e api.ErrorReply
			if err := api.Decode([]byte(body), 4096, &e); err != nil || e.Error == "" {
				t.Errorf("%s %s: %q is no error reply: %v", c.method, c.path, body, err)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	var got http.Header
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		rw.Header().Set("Trailer", "Sum")
		rw.Header().Set("Connection", "X-Hop")
		rw.Header().Set("X-Hop", "stays")
		rw.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(rw, r.Body)
		rw.Header().Set("Sum", "after the body")
	}))
	resp, body := do(t, http.MethodPost, w.path(t, api.ServiceCall, "/components/web/x?a=1&b=%20"), http.Header{
		local.HeaderPeer:    {"12D3KooWForged"},
		local.HeaderToken:   {"the caller's own"},
		"X-Forwarded-For":   {"198.51.100.7"},
		"Authorization":     {"Bearer of the program"},
		"Connection":        {"X-Hop-In"},
		"X-Hop-In":          {"stays"},
		"X-Forwarded-Proto": {"https"},
	}, strings.NewReader("body"))
	if resp.StatusCode != http.StatusTeapot || body != "body" || resp.Trailer.Get("Sum") != "after the body" {
		t.Errorf("answer: %d %q, trailer %v", resp.StatusCode, body, resp.Trailer)
	}
	if resp.Header.Get("X-Hop") != "" || got.Get("X-Hop-In") != "" {
		t.Error("a hop-by-hop header has made more than one hop")
	}
	if p := got[local.HeaderPeer]; !slices.Equal(p, []string{w.caller.ID().String()}) {
		t.Errorf("%s: %v; want the caller", local.HeaderPeer, p)
	}
	if v := got.Get(local.HeaderToken); v != "" {
		t.Errorf("a token has crossed the mesh: %s", v)
	}
	for k, want := range map[string]string{"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "Authorization": "Bearer of the program"} {
		if got.Get(k) != want {
			t.Errorf("%s: %q; want %q", k, got.Get(k), want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	w := newWorld(t, http.NotFoundHandler())
	self, err := p2p.ID(w.caller.ID())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := p2p.ID(newHost(t).ID())
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[api.PeerID]int{stranger: http.StatusBadGateway, self: http.StatusBadRequest, "nobody": http.StatusBadRequest} {
		resp, body := do(t, "GET", w.url+api.PathPeer(p, api.ServiceCall, "/components/web"), nil, nil)
		var e api.ErrorReply
		if err := api.Decode([]byte(body), 4096, &e); err != nil || resp.StatusCode != want {
			t.Errorf("%s: %d %s; want %d", p, resp.StatusCode, body, want)
		}
		if p == stranger && !strings.Contains(e.Error, "realm peers") {
			t.Errorf("%q does not say what to do", e.Error)
		}
		if accepted := resp.Header.Get(api.HeaderNotAccepted) == ""; p == stranger && accepted {
			t.Error("nobody says that the request may be sent elsewhere")
		}
	}
}

// TestBothWaysAtOnce answers each piece of a body before it reads the next.
func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(rw).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		b := make([]byte, 1)
		for {
			if _, err := r.Body.Read(b); err != nil {
				return
			}
			_, _ = rw.Write(bytes.ToUpper(b))
			_ = http.NewResponseController(rw).Flush()
		}
	}))
	body, feed := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.path(t, api.ServiceCall, "/components/web"), body)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = feed.Write([]byte("a")) }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 1)
	for c := byte('a'); c <= 'e'; c++ {
		if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != c-'a'+'A' {
			t.Fatalf("%c is answered with %c, %v", c, b[0], err)
		}
		if c < 'e' {
			if _, err := feed.Write([]byte{c + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("then %q, %v", rest, err)
	}
}

// TestDaemonAway calls a member whose runnerd is being started again: the caller
// may go elsewhere, and learns nothing of the member's files.
func TestDaemonAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "runnerd.sock")
	away := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	w := httptest.NewRecorder()
	Calls(away, quiet).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/functions/double", strings.NewReader(`{"args":[1]}`)))
	if w.Code != http.StatusBadGateway || w.Header().Get(api.HeaderNotAccepted) == "" {
		t.Errorf("%d, %s %q", w.Code, api.HeaderNotAccepted, w.Header().Get(api.HeaderNotAccepted))
	}
	if strings.Contains(w.Body.String(), socket) || !strings.Contains(w.Body.String(), "runnerd") {
		t.Errorf("the caller is told %s", w.Body)
	}
}

// TestLost calls a program whose runnerd goes with the request: the
// caller is told that it may have run, and is not told that nothing of it did.
func TestLost(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // as far as it comes
		panic(http.ErrAbortHandler)
	}))
	for _, path := range []string{"/components/web", "/components/web/below"} {
		resp, body := do(t, "POST", w.path(t, api.ServiceCall, path), nil, strings.NewReader("x"))
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get(api.HeaderInterrupted) == "" || resp.Header.Get(api.HeaderNotAccepted) != "" {
			t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
		if !strings.Contains(body, "broke before an answer") {
			t.Errorf("%s: the caller is told %s", path, body)
		}
	}
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }

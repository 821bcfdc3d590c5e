// Package standin is a node's home for tests, with HTTP servers on real sockets in
// the places of the other daemons.
package standin

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Home makes a home with a token. Its path is short, for the sockets in it.
func Home(t testing.TB) paths.Home {
	t.Helper()
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, err := paths.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Create(), local.CreateToken(h)); err != nil {
		t.Fatal(err)
	}
	return h
}

// Client reaches the sockets of h.
func Client(t testing.TB, h paths.Home) *http.Client {
	t.Helper()
	c, err := local.NewClient(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Serve stands in for daemon d. stop, which may be called twice, ends it at once,
// as a kill would; the end of the test does, too.
func Serve(t testing.TB, h paths.Home, d api.Daemon, handler http.Handler) (stop func()) {
	t.Helper()
	ln, err := local.Listen(h, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- local.Serve(ctx, h, ln, handler, 0) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("serve %s: %v", d, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("serve %s: does not end", d)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Peer is a peer id that depends on n alone.
func Peer(n byte) api.PeerID {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	pub, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey) // what an ed25519.PrivateKey has
	return keys.Peer(pub)
}

// Meshd answers for meshd: it passes calls on to the members in it, and says of the
// others that they are not connected.
type Meshd struct {
	mu    sync.Mutex
	peers map[api.PeerID]http.Handler
}

// Connect puts a member's runnerd behind m; nil takes it away.
func (m *Meshd) Connect(p api.PeerID, runnerd http.Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.peers == nil {
		m.peers = map[api.PeerID]http.Handler{}
	}
	m.peers[p] = runnerd
}

func (m *Meshd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RoutePeer, m.call)
	mux.ServeHTTP(w, r)
}

func (m *Meshd) call(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	next := m.peers[api.PeerID(r.PathValue("peer"))]
	m.mu.Unlock()
	if next == nil || r.PathValue("service") != string(api.ServiceCall) {
		NotAccepted(w, http.StatusBadGateway, "peer is not connected")
		return
	}
	http.StripPrefix(api.PathPeer(api.PeerID(r.PathValue("peer")), api.ServiceCall, ""), next).ServeHTTP(w, r)
}

// NotAccepted turns a request away before anything was done.
func NotAccepted(w http.ResponseWriter, status int, text string) {
	w.Header().Set(api.HeaderNotAccepted, "1")
	local.WriteError(w, status, errors.New(text))
}

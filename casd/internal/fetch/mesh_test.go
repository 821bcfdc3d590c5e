package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/local"
)

const mib = api.MaxChunk

// mesh is a node's store and fetcher, and the members that they reach: real HTTP
// servers, behind one in the place of meshd that leads to them by peer id.
type mesh struct {
	t            *testing.T
	dir          string
	store        *store.Store
	fetcher      *Fetcher
	meshd        *httptest.Server
	log          safeBuffer
	peers        []*peer
	providersErr atomic.Bool
}

func newMesh(t *testing.T) *mesh {
	m := &mesh{t: t, dir: t.TempDir()}
	mux := http.NewServeMux()
	mux.HandleFunc(api.RoutePeer, m.bridge)
	m.meshd = httptest.NewServer(mux)
	t.Cleanup(m.meshd.Close)
	m.restart()
	return m
}

// restart is what a new process of casd would find.
func (m *mesh) restart() {
	m.t.Helper()
	logger := slog.New(slog.NewTextHandler(io.MultiWriter(&m.log, m.t.Output()), nil))
	m.store = store.New(m.dir, logger, nil)
	if err := m.store.Recover(); err != nil {
		m.t.Fatal(err)
	}
	cfg := Config{Patience: 2 * time.Second, Stall: time.Second, Answer: 10 * time.Second, AtOnce: 2}
	addr := m.meshd.Listener.Addr().String()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}
	m.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	m.fetcher = New(cfg, m.store, m.providers, client, logger)
}

func (m *mesh) providers(context.Context, api.Digest) ([]api.PeerID, error) {
	if m.providersErr.Load() {
		return nil, errors.New("nobody answers")
	}
	var out []api.PeerID
	for _, p := range m.peers {
		out = append(out, p.id)
	}
	return out, nil
}

// bridge does what meshd does: it hands a request to the member that is named.
func (m *mesh) bridge(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(m.peers, func(p *peer) bool { return string(p.id) == r.PathValue("peer") })
	if i < 0 || r.PathValue("service") != string(api.ServiceBlob) {
		local.WriteError(w, http.StatusNotFound, errors.New("no such member"))
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, m.peers[i].server.URL+"/"+r.PathValue("path"), nil)
	if err != nil {
		local.WriteError(w, http.StatusInternalServerError, err)
		return
	}
	resp, err := m.peers[i].server.Client().Transport.RoundTrip(req)
	if err != nil {
		local.WriteError(w, http.StatusBadGateway, err)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	if _, err := io.Copy(flushing{w}, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// flushing passes bytes on as they come, so that a stall is a stall.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// damage flips a bit of a chunk on this node's disk, once it has landed there.
func (m *mesh) damage(d api.Digest) {
	path := filepath.Join(m.dir, "chunks", d.String()[:2], d.String())
	b, err := os.ReadFile(path)
	for end := time.Now().Add(10 * time.Second); errors.Is(err, fs.ErrNotExist) && time.Now().Before(end); b, err = os.ReadFile(path) {
		time.Sleep(time.Millisecond)
	}
	if err == nil {
		b[len(b)/3] ^= 4
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		m.t.Error(err)
	}
}

// peer is another member: a server that is honest but for its rules.
type peer struct {
	id     api.PeerID
	server *httptest.Server
	chunks atomic.Int32 // served, or begun to be

	mu    sync.Mutex
	has   map[string][]byte // path -> answer
	rules []rule
}

type rule struct {
	match func(*http.Request) bool
	do    http.HandlerFunc
}

// join adds a member that has blobs; its id ends with name, eight times.
func (m *mesh) join(name string, blobs ...[]byte) *peer {
	p := &peer{id: api.PeerID("12D3KooW" + strings.Repeat("Q", 36) + strings.Repeat(name, 8)), has: map[string][]byte{}}
	for _, b := range blobs {
		p.add(m.t, indexOf(b), b)
	}
	p.server = httptest.NewServer(p)
	m.t.Cleanup(p.server.Close)
	m.peers = append(m.peers, p)
	return p
}

func (p *peer) add(t *testing.T, idx api.BlobIndex, b []byte) {
	t.Helper()
	raw, err := json.Marshal(idx)
	if err != nil {
		t.Fatal(err)
	}
	p.has[api.PathBlobIndex(idx.SHA256)] = raw
	for c := range slices.Chunk(b, mib) {
		p.has[api.PathChunk(api.Sum(c))] = c
	}
}

// on answers requests that match with do; earlier rules go first.
func (p *peer) on(match func(*http.Request) bool, do http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, rule{match, do})
}

// heal makes the peer honest and counts its chunks anew.
func (p *peer) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	p.chunks.Store(0)
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isChunk(r) {
		p.chunks.Add(1)
	}
	if do := p.rule(r); do != nil {
		do(w, r)
		return
	}
	b, ok := p.has[r.URL.Path]
	if !ok {
		local.WriteError(w, http.StatusNotFound, errors.New("not here"))
		return
	}
	_, _ = w.Write(b) // the caller has gone if this fails
}

func (p *peer) rule(r *http.Request) http.HandlerFunc {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rule := range p.rules {
		if rule.match(r) {
			return rule.do
		}
	}
	return nil
}

// What a rule can match.

func anything(*http.Request) bool  { return true }
func isIndex(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/index") }
func isChunk(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/chunks/") }

func path(p string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.URL.Path == p }
}

// nth matches from the nth match on; first, only the first n.
func nth(match func(*http.Request) bool, n int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if match(r) {
			n--
		}
		return match(r) && n <= 0
	}
}

func first(match func(*http.Request) bool, n int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if match(r) {
			n--
		}
		return match(r) && n >= 0
	}
}

// What a bad peer can do.

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func replyIndex(idx api.BlobIndex) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { local.WriteJSON(w, http.StatusOK, idx) }
}

func endless(c byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		page := bytes.Repeat([]byte{c}, 64<<10)
		for {
			if _, err := w.Write(page); err != nil {
				return
			}
		}
	}
}

func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func halfThenStall(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write(make([]byte, 1000))
	_ = http.NewResponseController(w).Flush()
	stall(w, r)
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1048576")
	_, _ = w.Write(make([]byte, 1000))
	panic(http.ErrAbortHandler)
}

// vanish cuts this connection and answers no other one.
func vanish(p *peer) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) {
		_ = p.server.Listener.Close() // closed by the first of several
		panic(http.ErrAbortHandler)
	}
}

func flipBit(blob []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for c := range slices.Chunk(blob, mib) {
			if r.URL.Path == api.PathChunk(api.Sum(c)) {
				c = slices.Clone(c)
				c[len(c)/2] ^= 1
				_, _ = w.Write(c)
			}
		}
	}
}

// lyingIndex makes p claim that other bytes, which it serves, are the blob.
func lyingIndex(t *testing.T, p *peer, blob []byte) {
	t.Helper()
	other := noise(99, 2*mib+5)
	idx := indexOf(other)
	idx.SHA256 = api.Sum(blob)
	p.add(t, idx, other)
}

func withSize(idx api.BlobIndex, n int64) api.BlobIndex {
	idx.Size = n
	return idx
}

func indexOf(b []byte) api.BlobIndex {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}}
	for c := range slices.Chunk(b, mib) {
		idx.Chunks = append(idx.Chunks, api.BlobInfo{SHA256: api.Sum(c), Size: int64(len(c))})
	}
	return idx
}

// noise is n bytes that no two seeds share.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

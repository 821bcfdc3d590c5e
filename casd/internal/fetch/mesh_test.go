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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/share"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/casd/internal/wire"
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
	metrics      *prometheus.Registry
	begun        atomic.Int32 // calls
	landed       atomic.Int32
	providersErr atomic.Bool

	mu     sync.Mutex
	peers  []*peer
	hidden []api.PeerID // that meshd does not name
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
	cfg := Config{Patience: 2 * time.Second, Stall: time.Second, Busy: busyPatience, Answer: 10 * time.Second, Seek: 200 * time.Millisecond, AtOnce: 2, LowAtOnce: 1}
	addr := m.meshd.Listener.Addr().String()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}
	m.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	m.metrics = prometheus.NewRegistry()
	m.fetcher = New(cfg, Parts{Store: m.store, Providers: m.providers, Client: client, Metrics: NewMetrics(m.metrics), Log: logger,
		Downloads: share.New(share.Config{AtOnce: 16, Each: 16, Slow: time.Second}),
		Begun:     func(api.Digest) { m.begun.Add(1) }, Landed: func(api.Digest) { m.landed.Add(1) }})
}

// calm is for tests in which everybody answers: on a slow machine none is to pass for
// somebody who does not.
func (m *mesh) calm() {
	cfg := &m.fetcher.cfg
	cfg.Patience, cfg.Stall, cfg.Busy, cfg.Answer = time.Minute, time.Minute, time.Minute, 5*time.Minute
	m.fetcher.peers.stall, m.fetcher.peers.answer = cfg.Stall, cfg.Answer
}

func (m *mesh) providers(context.Context, api.Digest) ([]api.PeerID, error) {
	if m.providersErr.Load() {
		return nil, errors.New("nobody answers")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []api.PeerID
	for _, p := range m.peers {
		if !slices.Contains(m.hidden, p.id) {
			out = append(out, p.id)
		}
	}
	return out, nil
}

// find returns the member with an id, or nil.
func (m *mesh) find(id string) *peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		if string(p.id) == id {
			return p
		}
	}
	return nil
}

// bridge does what meshd does: it hands a request to the member that is named.
func (m *mesh) bridge(w http.ResponseWriter, r *http.Request) {
	p := m.find(r.PathValue("peer"))
	if p == nil || r.PathValue("service") != string(api.ServiceBlob) {
		local.WriteError(w, http.StatusNotFound, errors.New("no such member"))
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, p.server.URL+"/"+r.PathValue("path"), r.Body)
	if err != nil {
		local.WriteError(w, http.StatusInternalServerError, err)
		return
	}
	resp, err := p.server.Client().Transport.RoundTrip(req)
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
	chunks atomic.Int32 // sent, or begun to be
	asks   atomic.Int32 // requests of any kind

	mu    sync.Mutex
	has   map[string][]byte // path -> answer; chunks under api.PathChunk
	tells map[string]*tale  // path -> what it tells that it has, where that is not all
	rules []rule
	spoil []spoil
	bad   chan struct{} // closed once a rule or spoil was used
	was   sync.Once
}

type rule struct {
	match func(*http.Request) bool
	do    http.HandlerFunc
}

// spoil replaces the nth chunk, counted from 1, that the peer sends, and those after.
type spoil struct {
	from int
	do   func(w http.ResponseWriter, r *http.Request, d api.Digest)
}

// tale is a have-stream: the test sends lines, and closes it to end the stream.
type tale chan api.Have

// join adds a member that has blobs; its id ends with name, eight times.
func (m *mesh) join(name string, blobs ...[]byte) *peer {
	p := &peer{id: api.PeerID("12D3KooW" + strings.Repeat("Q", 36) + strings.Repeat(name, 8)), has: map[string][]byte{}, tells: map[string]*tale{}, bad: make(chan struct{})}
	for _, b := range blobs {
		p.add(m.t, indexOf(b), b)
	}
	p.server = httptest.NewServer(p)
	m.t.Cleanup(p.server.CloseClientConnections)
	m.t.Cleanup(p.server.Close)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers = append(m.peers, p)
	return p
}

// add gives the peer a blob, with an index that may be another's.
func (p *peer) add(t *testing.T, idx api.BlobIndex, b []byte) {
	t.Helper()
	raw, err := json.Marshal(idx)
	if err != nil {
		t.Fatal(err)
	}
	have, err := wire.AppendHave(nil, api.Have{Index: api.Sum(raw), Chunks: len(idx.Chunks), Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.has[api.PathBlobIndex(idx.SHA256)] = raw
	p.has[api.PathBlobHave(idx.SHA256)] = have
	at := b
	for _, c := range idx.Chunks {
		if int64(len(at)) < c.Size {
			break // the index is a lie
		}
		p.has[api.PathChunk(api.Sum(at[:c.Size]))] = at[:c.Size]
		at = at[c.Size:]
	}
}

// fetching has the peer tell lines of a blob instead of having it whole. The first is
// to have neither index nor number of chunks.
func (p *peer) fetching(blob []byte) tale {
	t := make(tale, 100)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tells[api.PathBlobHave(api.Sum(blob))] = &t
	return t
}

// waits has p tell that it has blobs only once other has misbehaved, so that the other
// is asked for everything until then.
func (p *peer) waits(other *peer) {
	p.on(isHave, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-other.bad:
			p.answer(w, r)
		case <-r.Context().Done():
		}
	})
}

// on answers requests that match with do; earlier rules go first.
func (p *peer) on(match func(*http.Request) bool, do http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, rule{match, do})
}

// spoils has do send the nth chunk that is asked of the peer, and what follows it.
func (p *peer) spoils(n int, do func(w http.ResponseWriter, r *http.Request, d api.Digest)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil = append(p.spoil, spoil{n, do})
}

// heal makes the peer honest and counts its chunks anew.
func (p *peer) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.spoil = nil, nil
	p.chunks.Store(0)
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asks.Add(1)
	if do := p.rule(r); do != nil {
		p.was.Do(func() { close(p.bad) })
		do(w, r)
		return
	}
	p.answer(w, r)
}

// answer is what an honest peer does.
func (p *peer) answer(w http.ResponseWriter, r *http.Request) {
	if isChunk(r) {
		p.sendChunks(w, r)
		return
	}
	p.mu.Lock()
	b, ok := p.has[r.URL.Path]
	tells := p.tells[r.URL.Path]
	p.mu.Unlock()
	switch {
	case tells != nil:
		p.tell(w, r, *tells)
	case !ok:
		local.WriteError(w, http.StatusNotFound, errors.New("not here"))
	default:
		_, _ = w.Write(b) // the caller has gone if this fails
	}
}

// tell sends the lines that a test makes up. The first one gets what it lacks.
func (p *peer) tell(w http.ResponseWriter, r *http.Request, t tale) {
	_ = http.NewResponseController(w).Flush()
	p.mu.Lock()
	raw := p.has[strings.TrimSuffix(r.URL.Path, "have")+"index"]
	p.mu.Unlock()
	var idx api.BlobIndex
	if raw != nil && api.Decode(raw, api.MaxBlobIndex, &idx) != nil {
		panic("the index of a test is wrong")
	}
	for first := true; ; first = false {
		select {
		case <-r.Context().Done():
			return
		case h, more := <-t:
			if !more {
				return
			}
			if first {
				h.Index, h.Chunks = api.Sum(raw), len(idx.Chunks)
			}
			line, err := wire.AppendHave(nil, h)
			if err != nil {
				panic(err)
			}
			_, _ = w.Write(line)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func (p *peer) sendChunks(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var req api.ChunksRequest
	if err == nil {
		err = api.Decode(b, 64<<10, &req)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	for _, d := range req.Chunks {
		n := int(p.chunks.Add(1))
		p.mu.Lock()
		do := func(w http.ResponseWriter, _ *http.Request, d api.Digest) { p.sendChunk(w, d) }
		for _, s := range p.spoil {
			if n >= s.from {
				do = s.do
				p.was.Do(func() { close(p.bad) })
			}
		}
		p.mu.Unlock()
		do(w, r, d)
		if r.Context().Err() != nil {
			return
		}
	}
}

// sendChunk sends a chunk as it should be.
func (p *peer) sendChunk(w http.ResponseWriter, d api.Digest) {
	p.mu.Lock()
	b, ok := p.has[api.PathChunk(d)]
	p.mu.Unlock()
	if !ok {
		_, _ = w.Write(wire.AppendNoChunk(nil))
		return
	}
	sendFrame(w, len(b), b)
}

// sendFrame sends bytes as a chunk that is said to have n.
func sendFrame(w http.ResponseWriter, n int, b []byte) {
	_, _ = w.Write(append(wire.AppendHead(nil, n), b...))
	_ = http.NewResponseController(w).Flush()
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

func anything(*http.Request) bool     { return true }
func isIndex(r *http.Request) bool    { return strings.HasSuffix(r.URL.Path, "/index") }
func isHave(r *http.Request) bool     { return strings.HasSuffix(r.URL.Path, "/have") }
func isOneChunk(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/chunks/") }
func isChunk(r *http.Request) bool    { return r.URL.Path == api.PathChunks }

// first matches only the first n times that match does.
func first(match func(*http.Request) bool, n int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if match(r) {
			n--
		}
		return match(r) && n >= 0
	}
}

// What a bad peer can answer.

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func replyIndex(idx api.BlobIndex) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { local.WriteJSON(w, http.StatusOK, idx) }
}

func replyHave(h api.Have) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { local.WriteJSON(w, http.StatusOK, h) }
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

// What a bad peer can send in the place of a chunk.

func stallAt(_ http.ResponseWriter, r *http.Request, _ api.Digest) { <-r.Context().Done() }

func halfThenStall(p *peer) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(w http.ResponseWriter, r *http.Request, d api.Digest) {
		p.sendHalf(w, d)
		<-r.Context().Done()
	}
}

func hangUp(p *peer) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(w http.ResponseWriter, _ *http.Request, d api.Digest) {
		p.sendHalf(w, d)
		panic(http.ErrAbortHandler)
	}
}

// sendHalf sends the first half of a chunk.
func (p *peer) sendHalf(w http.ResponseWriter, d api.Digest) {
	p.mu.Lock()
	b := p.has[api.PathChunk(d)]
	p.mu.Unlock()
	sendFrame(w, len(b), b[:len(b)/2])
}

func lack(w http.ResponseWriter, _ *http.Request, _ api.Digest) {
	_, _ = w.Write(wire.AppendNoChunk(nil))
}

// frame sends n zeros as a chunk that is said to have said bytes.
func frame(said, n int) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(w http.ResponseWriter, _ *http.Request, _ api.Digest) { sendFrame(w, said, make([]byte, n)) }
}

// vanish cuts this connection and answers no other one.
func vanish(p *peer) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(http.ResponseWriter, *http.Request, api.Digest) {
		_ = p.server.Listener.Close() // closed by the first of several
		panic(http.ErrAbortHandler)
	}
}

// flipBit has p send wrong bytes whichever way it is asked for a chunk.
func flipBit(p *peer) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(w http.ResponseWriter, _ *http.Request, d api.Digest) {
		p.mu.Lock()
		b := slices.Clone(p.has[api.PathChunk(d)])
		p.mu.Unlock()
		b[len(b)/2] ^= 1
		sendFrame(w, len(b), b)
	}
}

// frameless has p answer requests for one chunk with n other bytes.
func (p *peer) frameless(n int) {
	p.on(isOneChunk, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, n)) })
}

// after sends what it should, so much later.
func after(p *peer, d time.Duration) func(http.ResponseWriter, *http.Request, api.Digest) {
	return func(w http.ResponseWriter, r *http.Request, c api.Digest) {
		select {
		case <-time.After(d):
			p.sendChunk(w, c)
		case <-r.Context().Done():
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

// coarser is another index of the same bytes.
func coarser(b []byte) api.BlobIndex {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}}
	for c := range slices.Chunk(b, mib/2) {
		idx.Chunks = append(idx.Chunks, api.BlobInfo{SHA256: api.Sum(c), Size: int64(len(c))})
	}
	return idx
}

// metric is the value of a counter of the swarm.
func (m *mesh) metric(name string, labels ...string) float64 {
	m.t.Helper()
	all, err := m.metrics.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != "realm_casd_swarm_"+name {
			continue
		}
		for _, v := range f.GetMetric() {
			if len(labels) == 0 || v.GetLabel()[0].GetValue() == labels[0] {
				return v.GetCounter().GetValue()
			}
		}
	}
	m.t.Fatalf("no metric %s %v", name, labels)
	return 0
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

package keep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute // of tests

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// testConfig is impatient.
func testConfig(dir string) Config {
	return Config{
		Dir: dir, Patience: 500 * time.Millisecond, Quiet: 20 * time.Millisecond, Unquiet: 200 * time.Millisecond, Wait: 10 * time.Second, Ask: 5 * time.Second,
		AtOnce: 2, Retry: 20 * time.Millisecond, RetryMost: 200 * time.Millisecond, Look: time.Hour,
		CheckEach: time.Millisecond, CheckFirst: 10 * time.Millisecond, CheckPoor: 50 * time.Millisecond, CheckGood: time.Hour,
	}
}

// peerID is a peer id that ends with two letters for i.
func peerID(i int) api.PeerID {
	letters := "123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	return api.PeerID("12D3KooW" + strings.Repeat("Q", 42) + string(letters[i/len(letters)]) + string(letters[i%len(letters)]))
}

// bucket is one of a node's buckets.
type bucket struct {
	mu     sync.Mutex
	values map[string][]byte
	events []chan bus.Event
}

func newBucket() *bucket { return &bucket{values: map[string][]byte{}} }

func (b *bucket) open(context.Context) (Watcher, error) { return b, nil }

func (b *bucket) put(key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values[key] = raw
	b.tell(bus.Event{Kind: bus.Put, Entry: bus.Entry{Key: key, Value: raw}})
}

func (b *bucket) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.values, key)
	b.tell(bus.Event{Kind: bus.Deleted, Entry: bus.Entry{Key: key}})
}

func (b *bucket) tell(ev bus.Event) {
	for _, c := range b.events {
		c <- ev
	}
}

// restart empties the bucket, as when the bus begins anew.
func (b *bucket) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.values)
	b.tell(bus.Event{Kind: bus.Reset})
	b.tell(bus.Event{Kind: bus.Synced})
}

// Watch implements [Watcher].
func (b *bucket) Watch(ctx context.Context, pattern string, fn func(bus.Event) error) error {
	mine := make(chan bus.Event, 1<<16)
	b.mu.Lock()
	b.events = append(b.events, mine)
	first := []bus.Event{{Kind: bus.Reset}}
	for _, key := range slices.Sorted(maps.Keys(b.values)) {
		first = append(first, bus.Event{Kind: bus.Put, Entry: bus.Entry{Key: key, Value: b.values[key]}})
	}
	b.mu.Unlock()
	for _, ev := range append(first, bus.Event{Kind: bus.Synced}) {
		if err := b.pass(ev, pattern, fn); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-mine:
			if err := b.pass(ev, pattern, fn); err != nil {
				return err
			}
		}
	}
}

func (b *bucket) pass(ev bus.Event, pattern string, fn func(bus.Event) error) error {
	if suffix := pattern[strings.LastIndexByte(pattern, '*')+1:]; ev.Key != "" && !strings.HasSuffix(ev.Key, suffix) {
		return nil
	}
	return fn(ev)
}

// list is what the realm needs, as meshd serves it.
type list struct {
	mu      sync.Mutex
	refs    []api.Reference
	status  int // other than 200
	rev     int
	changed chan struct{}
	asked   atomic.Int64
}

func (l *list) set(refs ...api.Reference) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refs, l.rev = slices.SortedStableFunc(slices.Values(refs), byBlob), l.rev+1
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *list) look() (refs []api.Reference, tag string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.refs, fmt.Sprintf(`"%d"`, l.rev), l.changed
}

func (l *list) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked.Add(1)
	refs, tag, changed := l.look()
	if tag == r.Header.Get("If-None-Match") {
		s, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Prefer"), "wait="))
		select {
		case <-changed:
		case <-time.After(time.Duration(s) * time.Second):
		case <-r.Context().Done():
		}
		refs, tag, _ = l.look()
	}
	l.mu.Lock()
	status := l.status
	l.mu.Unlock()
	w.Header().Set("ETag", tag)
	switch {
	case status != 0:
		local.WriteError(w, status, errors.New("not known"))
	case tag == r.Header.Get("If-None-Match"):
		w.WriteHeader(http.StatusNotModified)
	default:
		for _, ref := range refs {
			_ = json.NewEncoder(w).Encode(ref) // whoever asks has gone if this fails
		}
	}
}

// world is a realm of nodes in one process.
type world struct {
	t     testing.TB
	needs *list
	nodes []*node

	changes []func(*Config) // of the configuration of all
}

// patient has members wait longer for one that is gone.
func patient(d time.Duration) func(*Config) { return func(c *Config) { c.Patience = d } }

// node is a store with its keeper, behind servers that stand for casd and meshd.
type node struct {
	*Keeper
	w         *world
	id        api.PeerID
	dir       string
	cfg       Config
	store     *store.Store
	casd      *httptest.Server
	meshd     *httptest.Server
	peers     *bucket
	workloads *bucket
	client    *http.Client
	metrics   *prometheus.Registry
	stop      func()
	serving   atomic.Pointer[Keeper] // answers others, which may still ask the one before
	up        atomic.Bool
	fact      api.PeerRecord
	fetched   atomic.Int64
	heads     atomic.Int64                                // questions that it was asked
	before    atomic.Pointer[func(context.Context) error] // a fetch
}

func newWorld(t testing.TB, n int, changes ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, needs: &list{}, changes: changes}
	for i := range n {
		w.join(i)
	}
	for _, n := range w.nodes {
		n.start()
	}
	return w
}

// join adds a node that does not run yet.
func (w *world) join(i int) *node {
	n := &node{w: w, id: peerID(i), dir: w.t.TempDir(), peers: newBucket(), workloads: newBucket()}
	n.cfg = testConfig(filepath.Join(n.dir, "keep"))
	for _, change := range w.changes {
		change(&n.cfg)
	}
	n.fact = api.PeerRecord{PeerFact: api.PeerFact{Peer: n.id}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	n.store = store.New(filepath.Join(n.dir, "cas"), log, nil)
	if err := n.store.Recover(); err != nil {
		w.t.Fatal(err)
	}
	casd, meshd := http.NewServeMux(), http.NewServeMux()
	casd.HandleFunc(api.RouteBlobGet, n.serveBlob)
	n.casd = httptest.NewServer(casd)
	meshd.Handle(api.RouteReferences, w.needs)
	meshd.HandleFunc(api.RoutePeer, n.bridge)
	n.meshd = httptest.NewServer(meshd)
	n.reach(n.meshd)
	n.stop = func() {}
	w.t.Cleanup(func() {
		n.stop()
		n.client.CloseIdleConnections()
		n.meshd.Close()
		n.casd.Close()
	})
	w.nodes = append(w.nodes, n)
	return n
}

// reach makes the node's client, for which all hosts are at server.
func (n *node) reach(server *httptest.Server) {
	addr := server.Listener.Addr().String()
	n.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}}
}

func (n *node) serveBlob(w http.ResponseWriter, r *http.Request) {
	d, err := api.ParseDigest(r.PathValue("sha256"))
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	if r.Method == http.MethodHead {
		n.heads.Add(1)
	}
	b, err := n.store.Open(d)
	if err != nil {
		local.WriteError(w, http.StatusNotFound, err)
		return
	}
	defer b.Close()
	n.serving.Load().Vouch(w.Header(), d)
	http.ServeContent(w, r, "", time.Time{}, b)
}

// bridge does what meshd does: it hands a request to the member that is named.
func (n *node) bridge(w http.ResponseWriter, r *http.Request) {
	other := n.w.node(api.PeerID(r.PathValue("peer")))
	if other == nil || other == n || !other.up.Load() || !n.up.Load() || r.PathValue("service") != string(api.ServiceBlob) {
		local.WriteError(w, http.StatusBadGateway, errors.New("it is not connected"))
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, other.casd.URL+"/"+r.PathValue("path"), nil)
	if err != nil {
		local.WriteError(w, http.StatusInternalServerError, err)
		return
	}
	resp, err := other.casd.Client().Transport.RoundTrip(req)
	if err != nil {
		local.WriteError(w, http.StatusBadGateway, err)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // whoever asks has gone if this fails
}

func (w *world) node(p api.PeerID) *node {
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.id == p })
	if i < 0 {
		return nil
	}
	return w.nodes[i]
}

// providers are all others that are up.
func (n *node) providers(context.Context, api.Digest) (out []api.PeerID, err error) {
	for _, o := range n.w.nodes {
		if o != n && o.up.Load() {
			out = append(out, o.id)
		}
	}
	return out, nil
}

// fetch brings a blob from whoever has it.
func (n *node) fetch(ctx context.Context, d api.Digest, size int64) (api.BlobInfo, error) {
	if before := n.before.Load(); before != nil {
		if err := (*before)(ctx); err != nil {
			return api.BlobInfo{}, err
		}
	}
	all, _ := n.providers(ctx, d) // never fails
	for _, p := range all {
		if info, err := n.fetchFrom(ctx, p, d, size); err == nil {
			return info, nil
		}
	}
	return api.BlobInfo{}, errors.New("nobody has it")
}

func (n *node) fetchFrom(ctx context.Context, p api.PeerID, d api.Digest, size int64) (api.BlobInfo, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local.URL(api.Meshd, api.PathPeer(p, api.ServiceBlob, api.PathBlob(d))), nil)
	if err != nil {
		return api.BlobInfo{}, err
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return api.BlobInfo{}, err
	}
	defer resp.Body.Close()
	if err := local.CheckStatus(resp); err != nil {
		return api.BlobInfo{}, err
	}
	n.fetched.Add(1)
	return n.store.Put(ctx, resp.Body, max(size, -1), d)
}

// failing has fetches fail with err; nil: it is over.
func (n *node) failing(err error) {
	before := func(context.Context) error { return err }
	n.before.Store(&before)
}

// build makes a keeper of what the node has.
func (n *node) build() *Keeper {
	n.w.t.Helper()
	n.metrics = prometheus.NewRegistry()
	k := New(n.cfg, Parts{
		Has:   n.store.Has,
		Info:  func(d api.Digest) (api.BlobInfo, error) { idx, err := n.store.Index(d); return idx.BlobInfo, err },
		Fetch: n.fetch, Announce: func(...api.Digest) {}, Providers: n.providers, Client: n.client,
		Peers: n.peers.open, Workloads: n.workloads.open, Metrics: n.metrics, Log: slog.New(slog.NewTextHandler(n.w.t.Output(), nil)).With("node", n.id[50:]),
	})
	if err := k.Load(); err != nil {
		n.w.t.Fatal(err)
	}
	return k
}

// start runs the node's keeper, and has everybody know that it is there.
func (n *node) start() {
	n.w.t.Helper()
	keeper := n.build()
	n.Keeper = keeper
	n.serving.Store(keeper)
	n.up.Store(true)
	n.w.tell()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- keeper.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			n.w.t.Errorf("Run = %v", err)
		}
	})
}

// kill ends a node; the others notice.
func (n *node) kill() {
	n.up.Store(false)
	n.stop()
	n.w.tell()
}

// change changes what a node says of itself, or the owner of it.
func (n *node) change(how func(*api.PeerRecord)) {
	how(&n.fact)
	n.w.tell()
}

// tell writes into everybody's bucket what everybody is.
func (w *world) tell() {
	for _, at := range w.nodes {
		for _, n := range w.nodes {
			rec := n.fact
			rec.Self, rec.Live = n == at, n.up.Load()
			rec.Connected = rec.Live
			at.peers.mu.Lock()
			old := at.peers.values[string(n.id)]
			at.peers.mu.Unlock()
			if raw, _ := json.Marshal(rec); !bytes.Equal(raw, old) && (rec.Live || old != nil) {
				at.peers.put(string(n.id), rec)
			}
		}
	}
}

// noise is n bytes that no two seeds share.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b) // never fails
	return b
}

// put stores a blob on the node.
func (n *node) put(b []byte) api.BlobInfo {
	n.w.t.Helper()
	info, err := n.store.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Digest{})
	if err != nil {
		n.w.t.Fatal(err)
	}
	return info
}

// reference is that of a component.
func reference(b api.BlobInfo, name string, seq uint64) api.Reference {
	return api.Reference{Blob: b.SHA256, Size: b.Size, Ref: api.Ref{Kind: api.KindComponent, Name: api.Name(name)}, Seq: seq, Current: true}
}

// holders are the nodes that are up and have a blob, by number.
func (w *world) holders(d api.Digest) (out []int) {
	for i, n := range w.nodes {
		if n.up.Load() && n.store.Has(d) {
			out = append(out, i)
		}
	}
	return out
}

// keepers are those that should have a blob, by the facts of the world.
func (w *world) keepers(d api.Digest) (out []int) {
	var all []candidate
	for _, n := range w.nodes {
		if n.up.Load() && !n.fact.Client && !n.fact.Drained && !n.fact.Full {
			all = append(all, newCandidate(n.id))
		}
	}
	refs, _, _ := w.needs.look()
	for _, p := range keepers(d, newNeeds("", refs).copies(d), all) {
		out = append(out, slices.IndexFunc(w.nodes, func(n *node) bool { return n.id == p }))
	}
	slices.Sort(out)
	return out
}

// kept reports whether all keepers of a blob have it.
func (w *world) kept(d api.Digest) bool {
	have := w.holders(d)
	return !slices.ContainsFunc(w.keepers(d), func(i int) bool { return !slices.Contains(have, i) })
}

var errFull error = fmt.Errorf("store full: %w", disk.ErrFull)

// refused is a bucket that may not be read.
func refused(context.Context) (Watcher, error) { return nil, bus.ErrForbidden }

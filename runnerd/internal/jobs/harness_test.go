package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/book"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/over"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/plan"
	"github.com/realm-mesh/realm/runnerd/internal/jobs/votes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realm is several managers in one process. Records reach all that are up at once.
type realm struct {
	t     *testing.T
	nodes []*node
	// program is what executions do.
	program func(*execution) Change

	mu    sync.Mutex
	begun map[api.Exec]int
	jobs  []book.Job
}

// node is a member: it outlives its managers.
type node struct {
	*Manager
	*executor
	r     *realm
	id    api.PeerID
	votes *votes.Table
	over  *over.Table
	mux   *http.ServeMux
	down  bool // the whole node goes down with its manager
	stop  func()
	ended chan struct{}

	mu     sync.Mutex
	up     bool
	bucket map[string][]byte
	pipes  []*io.PipeWriter // of logs that others read here
}

// inRealm runs a test with n members that have seen each other for a while.
func inRealm(t *testing.T, n int, test func(*testing.T, *realm)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &realm{t: t, begun: map[api.Exec]int{}}
		r.program = func(x *execution) Change {
			x.say("hello")
			return x.sleep(time.Second)
		}
		for i := range n {
			v, err := votes.Open(filepath.Join(dir, string(rune('a'+i))))
			if err != nil {
				t.Fatal(err)
			}
			past, err := over.Open(filepath.Join(dir, "over-"+string(rune('a'+i))))
			if err != nil {
				t.Fatal(err)
			}
			m := &node{over: past, r: r, id: api.PeerID("12D3KooW" + strings.Repeat(string(rune('a'+i)), 44)), votes: v, bucket: map[string][]byte{}}
			r.nodes = append(r.nodes, m)
		}
		for _, m := range r.nodes {
			m.boot()
		}
		r.seen()
		time.Sleep(2 * plan.Settle)
		defer func() {
			for _, m := range r.nodes {
				m.end()
				m.votes.Close()
			}
		}()
		test(t, r)
	})
}

// boot starts a manager on what the node has.
func (m *node) boot(found ...Found) {
	m.executor = &executor{m: m, logs: map[api.Exec]*memory{}, tails: map[api.Exec]*memory{}, found: found, crash: make(chan struct{})}
	m.Manager = New(Config{
		Self: m.id, Sign: seal, Read: unseal, Write: func(_ api.Exec, raw []byte) { go m.r.spread(m, raw) },
		Realm: func() (api.RealmID, error) { return api.RealmID(strings.Repeat("a", 32)), nil }, Peers: peers{m}, Executor: m.executor, Output: m.executor, Blobs: m.executor,
		Votes: m.votes, Over: m.over, Room: func() plan.Room { return plan.Room{CPUMilli: 4000} }, Now: time.Now, Confined: func() []string { return nil },
		Leaving: func(context.Context) bool { return m.down }, Log: slog.New(slog.DiscardHandler),
	})
	m.mux = http.NewServeMux()
	m.Register(m.mux)
	for _, j := range m.r.jobs {
		m.SetJob(j)
	}
	m.mu.Lock()
	for _, raw := range m.bucket {
		rec, _ := unseal(raw)
		m.Record(rec, raw)
	}
	m.up = true
	m.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	m.stop, m.ended = stop, ended
	manager := m.Manager
	go func() {
		defer close(ended)
		if err := manager.Run(ctx); err != nil {
			m.r.t.Error(err)
		}
	}()
}

// end ends the manager, and then what it has executed.
func (m *node) end() {
	if m.stop == nil {
		return
	}
	m.stop()
	<-m.ended
	m.mu.Lock()
	m.up = false
	m.mu.Unlock()
	close(m.crash)
	m.cut()
	m.stop = nil
	synctest.Wait()
}

// die has a node be gone at once, for all others too.
func (m *node) die() {
	m.mu.Lock()
	m.up = false
	m.mu.Unlock()
	m.end()
	m.r.seen()
}

// cut breaks connections by which others read logs here.
func (m *node) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pipes {
		p.CloseWithError(io.ErrUnexpectedEOF)
	}
	m.pipes = nil
}

func (m *node) isThere() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up
}

// seen tells all who is there.
func (r *realm) seen() {
	var list []plan.Member
	for _, m := range r.nodes {
		list = append(list, plan.Member{Member: placement.Member{Peer: m.id, Capacity: api.Capacity{CPUs: 4}}, Live: m.isThere(),
			Platform: "linux/amd64", Powers: api.Powers{Native: true}})
	}
	for _, m := range r.nodes {
		if m.isThere() {
			m.Members(list)
		}
	}
}

// spread brings a record to all that are there, where its sender is.
func (r *realm) spread(from *node, raw []byte) {
	rec, err := unseal(raw)
	if err != nil {
		r.t.Error(err)
		return
	}
	key := api.KeyRecord(rec.Exec())
	for _, m := range r.nodes {
		if m != from && !from.isThere() {
			continue // it stays in its own bucket
		}
		m.mu.Lock()
		old, known := m.bucket[key]
		if was, _ := unseal(old); !known || rec.Newer(&was) {
			m.bucket[key] = raw
		}
		up := m.up
		m.mu.Unlock()
		if up {
			m.Record(rec, raw)
		}
	}
}

func seal(rec api.JobRecord) ([]byte, error) {
	raw, err := json.Marshal(rec)
	if err == nil && len(raw) > api.MaxRecord {
		err = api.ErrTooLarge
	}
	return raw, err
}

func unseal(raw []byte) (rec api.JobRecord, err error) { return rec, json.Unmarshal(raw, &rec) }

// submit brings a job to all that are there.
func (r *realm) submit(name string, body api.Job) api.Digest {
	if body.Type == "" {
		body.Type = api.JobOneShot
	}
	if body.Runtime.Type == "" {
		body.Runtime.Type = api.RuntimeNative
	}
	j := book.Job{Root: api.Sum([]byte(name)), Name: api.Name(name), Body: &body, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Seq: 1}
	r.set(j)
	return j.Root
}

func (r *realm) set(j book.Job) {
	r.jobs = append(r.jobs, j)
	for _, m := range r.nodes {
		if m.isThere() {
			m.SetJob(j)
		}
	}
}

// state is how all nodes that are there see a job.
func (r *realm) state(root api.Digest) api.JobStatus {
	r.t.Helper()
	var out api.JobStatus
	for _, m := range r.nodes {
		if !m.isThere() {
			continue
		}
		m.Manager.mu.Lock()
		st, _ := m.book.Status(root, time.Now())
		m.Manager.mu.Unlock()
		if out.State != "" && out.State != st.State {
			r.t.Errorf("%s sees it %s, another %s", m.id.Short(), st.State, out.State)
		}
		out = st
	}
	return out
}

// executing is who executes a run now; nil: nobody.
func (r *realm) executing(root api.Digest) *node {
	for _, m := range r.nodes {
		if !m.isThere() {
			continue
		}
		m.Manager.mu.Lock()
		n := len(m.book.Going(m.id))
		m.Manager.mu.Unlock()
		if n > 0 {
			return m
		}
	}
	return nil
}

// other is a node that is there and not m.
func (r *realm) other(m *node) *node {
	for _, o := range r.nodes {
		if o != m && o.isThere() {
			return o
		}
	}
	return nil
}

// peers asks other nodes.
type peers struct{ from *node }

var errAway = errors.New("it is away")

func (p peers) to(id api.PeerID) (*node, error) {
	for _, m := range p.from.r.nodes {
		if m.id == id && m.isThere() && p.from.isThere() {
			return m, nil
		}
	}
	return nil, errAway
}

func (p peers) Claim(_ context.Context, id api.PeerID, c *api.JobClaims) (*api.JobAnswers, error) {
	m, err := p.to(id)
	if err != nil {
		return nil, err
	}
	return m.Claims(p.from.id, c), nil
}

func (p peers) Take(_ context.Context, id api.PeerID, t *api.JobTake) (*api.JobTaken, error) {
	m, err := p.to(id)
	if err != nil {
		return nil, err
	}
	return m.Give(p.from.id, t), nil
}

func (p peers) Vote(_ context.Context, id api.PeerID, v *api.JobVote) (*api.JobVoted, error) {
	m, err := p.to(id)
	if err != nil {
		return nil, err
	}
	who, err := m.votes.Vote(*v, p.from.id)
	return &api.JobVoted{Peer: who}, err
}

func (p peers) Tail(_ context.Context, id api.PeerID, t *api.JobTail) error {
	m, err := p.to(id)
	if err != nil {
		return err
	}
	return m.Keep(t)
}

// Logs serves a request by the other's routes; what it answers can be cut off.
func (p peers) Logs(ctx context.Context, id api.PeerID, path string) (*http.Response, error) {
	m, err := p.to(id)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	m.mu.Lock()
	m.pipes = append(m.pipes, w)
	m.mu.Unlock()
	a := &answer{PipeWriter: w, header: http.Header{}, status: make(chan int, 1)}
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	mux := m.mux
	go func() {
		defer cancel()
		defer func() {
			if recover() != nil { // the handler has given up
				w.CloseWithError(io.ErrUnexpectedEOF)
			}
			w.Close()
			a.WriteHeader(http.StatusOK)
		}()
		mux.ServeHTTP(a, req)
	}()
	context.AfterFunc(ctx, func() { r.CloseWithError(ctx.Err()) })
	select {
	case status := <-a.status:
		resp := &http.Response{StatusCode: status, Header: a.header, Body: body{r, cancel}, Request: req}
		if err := local.CheckStatus(resp); err != nil {
			cancel()
			return nil, err
		}
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type body struct {
	io.Reader
	end func()
}

func (b body) Close() error { b.end(); return nil }

type answer struct {
	*io.PipeWriter
	header http.Header
	status chan int
	once   sync.Once
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) Flush()                 {}
func (a *answer) WriteHeader(status int) { a.once.Do(func() { a.status <- status }) }
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.PipeWriter.Write(b)
}

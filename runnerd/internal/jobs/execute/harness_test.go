package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/policy"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
	"github.com/realm-mesh/realm/runnerd/internal/leaktest"
	"github.com/realm-mesh/realm/runnerd/internal/native"
	"github.com/realm-mesh/realm/runnerd/internal/native/confine"
	"github.com/realm-mesh/realm/runnerd/internal/native/shim"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

var (
	probe []byte
	cache string // of all tests
)

// TestMain is also the child that compiles, the shim and the init.
func TestMain(m *testing.M) {
	switch append(os.Args, "")[1] {
	case engine.CompileCommand:
		os.Exit(engine.Child(os.Args[2:], os.Stdin, os.Stdout))
	case native.ShimCommand:
		os.Exit(shim.Main(os.Stdin, os.Stdout))
	case confine.InitCommand:
		syscall.Exit(confine.Init()) // not by os.Exit: under -race every program would end a second late
	}
	var err error
	if probe, err = wasmtest.Probe(); err == nil {
		cache, err = os.MkdirTemp("", "execute-")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	leaktest.Run(m, func() { os.RemoveAll(cache) })
}

// store is in the place of casd, which other modules cannot start: what it holds is in memory.
type store struct {
	mu  sync.Mutex
	has map[api.Digest][]byte
	bad error // of everything that is brought; nil: none

	refuse int // how many more blobs are not taken
}

func (s *store) add(b []byte) api.BlobInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := api.Sum(b)
	s.has[d] = b
	return api.BlobInfo{SHA256: d, Size: int64(len(b))}
}

func (s *store) get(d api.Digest) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has[d]
}

func (s *store) Bring(ctx context.Context, _ api.BlobInfo) error {
	if errors.Is(s.bad, context.Canceled) { // it never comes
		<-ctx.Done()
		return ctx.Err()
	}
	return s.bad
}

func (s *store) Open(_ context.Context, b api.BlobInfo) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.get(b.SHA256))), nil
}

func (s *store) Put(_ context.Context, r io.Reader) (api.BlobInfo, error) {
	s.mu.Lock()
	refused := s.refuse > 0
	s.refuse--
	s.mu.Unlock()
	if refused {
		return api.BlobInfo{}, errors.New("the store is away")
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return api.BlobInfo{}, err
	}
	return s.add(b), nil
}

// modules is the store as a loader reads it.
type modules struct{ *store }

func (modules) Bring(context.Context, api.Digest, int64) error { return nil }

func (m modules) Read(_ context.Context, d api.Digest, _ int64) ([]byte, error) { return m.get(d), nil }

// node is an executor with what it needs.
type node struct {
	t     testing.TB
	store *store
	cfg   Config
	*Executor
}

func newNode(t testing.TB) *node {
	t.Helper()
	s := &store{has: map[api.Digest][]byte{}}
	eng := engine.New(engine.NewCache(cache))
	t.Cleanup(eng.MakeRoom())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	n := &node{t: t, store: s, cfg: Config{
		Folder: filepath.Join(home, "jobs"), Tails: filepath.Join(home, "tails"), Blobs: s,
		Loader: program.NewLoader(modules{s}, program.NewCompiler(exe, cache), eng), Admit: admit.New(admit.Config{}),
		Policy: func() (policy.Policy, error) { return policy.Policy{AllowNative: true, AllowEmulation: true}, nil },
		Log:    slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
	n.again()
	return n
}

// again makes a new executor of the same folders.
func (n *node) again() {
	n.t.Helper()
	var err error
	if n.Executor, err = New(n.cfg); err != nil {
		n.t.Fatal(err)
	}
}

// order is one for a program of that type.
func (n *node) order(r api.RuntimeType, prog []byte, args ...string) jobs.Order {
	return jobs.Order{Job: "build-1", Exec: api.Exec{Root: api.Sum([]byte(n.t.Name())), Run: "2", Epoch: 3, Peer: "12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi"},
		Body: &api.Job{Type: api.JobOneShot, Runtime: api.JobRuntime{Type: r, Program: n.store.add(prog), File: "prog", Args: args}}}
}

// told are the changes of an execution.
type told struct {
	mu  sync.Mutex
	all []jobs.Change
	ran chan struct{} // closed when it runs
}

func (c *told) report(ch jobs.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, ch)
	if ch.State == api.ExecRunning && !ch.Ready {
		close(c.ran)
	}
}

func (c *told) last() jobs.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[len(c.all)-1]
}

func newTold() *told { return &told{ran: make(chan struct{})} }

// run carries an order out, to its end.
func (n *node) run(o jobs.Order) jobs.Change {
	n.t.Helper()
	c := newTold()
	n.wait(n.Begin(o, c.report))
	return c.last()
}

func (n *node) wait(x jobs.Execution) {
	n.t.Helper()
	select {
	case <-x.Over():
	case <-time.After(time.Minute):
		n.t.Fatal("it does not end")
	}
}

package intents

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envWriter); path != "" {
		writeForEver(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// world is a realm, and where one of its nodes keeps what it holds.
type world struct {
	*meshtest.Realm
	path  string
	shown *board // nil: no projection

	mu      sync.Mutex
	full    error
	changes []ledger.Change
}

func newWorld(t testing.TB) *world {
	return &world{Realm: meshtest.NewRealm(t), path: filepath.Join(t.TempDir(), "intents.log")}
}

func (w *world) config(pin trust.Pin) Config {
	c := Config{Pin: pin, Path: w.path, Now: time.Now, Log: meshtest.Log(),
		Room: func(int64) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.full
		},
		Changed: func(_ Source, c ledger.Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		}}
	if w.shown != nil {
		c.Projection = w.shown
	}
	return c
}

func (w *world) setFull(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = err
}

// open opens the node's keeper, which nobody runs.
func (w *world) open(t testing.TB) *Keeper {
	t.Helper()
	return w.openAs(t, w.Pin)
}

func (w *world) openAs(t testing.TB, pin trust.Pin) *Keeper {
	t.Helper()
	k, err := Open(w.config(pin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() }) // closed twice where the test reopens
	return k
}

// start opens and runs the node's keeper; stop ends it.
func (w *world) start(t testing.TB) (k *Keeper, stop func()) {
	t.Helper()
	k = w.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = k.Close()
	})
	t.Cleanup(stop)
	return k, stop
}

// accept adds what must be good.
func accept(t testing.TB, k *Keeper, all ...intent.Signed) {
	t.Helper()
	_, errs := k.Accept(all, BySync)
	for i, err := range errs {
		if err != nil {
			t.Fatalf("accept %s number %d: %v", all[i].Ref, all[i].Seq, err)
		}
	}
}

func holds(k *Keeper, s intent.Signed) bool {
	_, ok := k.Ledger().Held(s.Digest)
	return ok
}

// sameSet fails the test unless both keepers hold the same.
func sameSet(t testing.TB, a, b *ledger.Ledger) {
	t.Helper()
	if d := a.Digests(); !slices.Equal(d.Buckets, b.Digests().Buckets) || d.Count != b.Len() {
		t.Errorf("%d and %d intents are held, or other ones", a.Len(), b.Len())
	}
}

// component is version seq of a component, after prev (nil: the zero one).
func (w *world) component(t testing.TB, name string, seq uint64, prev api.Digest) intent.Signed {
	t.Helper()
	return w.Sign(t, w.Key, api.Intent{Ref: meshtest.Ref(name), Seq: seq, Prev: prev}, api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
}

// board is a projection in memory.
type board struct {
	mu      sync.Mutex
	values  map[string][]byte
	broken  error
	applied int
}

func newBoard() *board { return &board{values: map[string][]byte{}} }

func (b *board) All(context.Context) (map[string][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.values), b.broken
}

func (b *board) Apply(_ context.Context, puts map[string][]byte, deletes []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.applied++
	maps.Copy(b.values, puts)
	for _, k := range deletes {
		delete(b.values, k)
	}
	return nil
}

func (b *board) set(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *board) shows(s intent.Signed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.values[s.Slot().Key()]) == string(s.Envelope)
}

func (b *board) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.values)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	meshtest.Until(t, 10*time.Second, what, ok)
}

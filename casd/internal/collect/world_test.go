package collect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/pins"
	"github.com/realm-mesh/realm/casd/internal/store"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	unit = 128 * kib // some chunks
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store with its collector.
type world struct {
	*Collector
	t    testing.TB
	refs *realm
}

// realm is what the realm needs.
type realm struct {
	mu        sync.Mutex
	unknown   bool
	needed    map[api.Digest]bool // true: here
	elsewhere map[api.Digest]bool // its keepers have it
	asked     []api.Digest        // of keepers
	slow      time.Duration       // how long keepers take to answer
}

func (r *realm) Known() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unknown
}

func (r *realm) Needed(d api.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.needed[d]
	return ok
}

func (r *realm) NeededHere(d api.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.needed[d]
}

func (r *realm) ConfirmElsewhere(ctx context.Context, d api.Digest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, d)
	if r.slow > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.slow):
		}
	}
	if !r.elsewhere[d] {
		return errors.New("a keeper lacks it")
	}
	return nil
}

// need changes what the realm needs.
func (r *realm) need(d api.Digest, here bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.needed[d] = here
}

func (r *realm) forget(d api.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.needed, d)
}

func newWorld(t testing.TB, dir string, quota int64) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	w := &world{t: t, refs: &realm{needed: map[api.Digest]bool{}, elsewhere: map[api.Digest]bool{}}}
	s := store.New(dir, log, w)
	p := pins.New(filepath.Join(dir, "pins"), log)
	if err := errors.Join(s.Recover(), p.Load()); err != nil {
		t.Fatal(err)
	}
	w.Collector = New(Config{Dir: dir, Quota: quota, Look: time.Hour, Confirm: 5 * time.Second}, s, w.refs, p, log)
	return w
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b) // never fails
	return b
}

func (w *world) tryPut(b []byte) (api.Digest, error) {
	info, err := w.store.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Sum(b))
	return info.SHA256, err
}

func (w *world) put(b []byte) api.Digest {
	w.t.Helper()
	d, err := w.tryPut(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// puts stores n blobs of a size, the first one the least recently used.
func (w *world) puts(n, size int) (out []api.Digest) {
	w.t.Helper()
	for i := range n {
		out = append(out, w.put(noise(uint64(1000+i), size)))
	}
	return out
}

func (w *world) has(d api.Digest) bool {
	w.t.Helper()
	_, err := w.store.Index(d)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// want checks which of blobs are here.
func (w *world) want(what string, blobs []api.Digest, here ...bool) {
	w.t.Helper()
	for i, d := range blobs {
		if w.has(d) != here[i] {
			w.t.Errorf("%s: blob %d is here: %v, want %v", what, i, w.has(d), here[i])
		}
	}
}

// sound checks that a blob reads, and that the bounds hold.
func (w *world) sound(d api.Digest, want []byte) {
	w.t.Helper()
	r, err := w.store.Open(d)
	if err != nil {
		w.t.Errorf("open: %v", err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func (w *world) within() {
	w.t.Helper()
	if st := w.store.Stats(); st.Bytes+st.Staged > w.cfg.Quota {
		w.t.Errorf("%d bytes of a quota of %d: %+v", used(st), w.cfg.Quota, st)
	}
}

func (w *world) collect(req api.CollectRequest) api.CollectReply {
	w.t.Helper()
	got, err := w.Collect(context.Background(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) status() api.StorageStatus {
	w.t.Helper()
	st, err := w.Status(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) pin(d api.Digest) {
	w.t.Helper()
	if err := w.Pin(d); err != nil {
		w.t.Fatal(err)
	}
}

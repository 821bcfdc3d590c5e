package scrub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

const mib = 1 << 20

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store with its scrubber, beside another member that has all.
type world struct {
	*Scrubber
	t   testing.TB
	dir string

	mu     sync.Mutex
	away   bool // the other member
	blobs  map[api.Digest][]byte
	wanted map[api.Digest]bool
	pinned []api.Digest
	tries  int
}

func newWorld(t testing.TB, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, blobs: map[api.Digest][]byte{}, wanted: map[api.Digest]bool{}}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := store.New(dir, log, nil)
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	w.Scrubber = New(Config{File: filepath.Join(dir, "scrub.json"), Period: time.Hour, Rate: 8 * mib, Retry: 10 * time.Minute, Lately: 24 * time.Hour,
		Fetch: w.fetch, Wanted: func(d api.Digest) bool { return w.wanted[d] }, Pinned: func() []api.Digest { return w.pinned }}, s, log)
	w.Load()
	return w
}

// fetch brings a blob from the other member: into the store, as a fetch does.
func (w *world) fetch(ctx context.Context, d api.Digest, size int64) (api.BlobInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	b, ok := w.blobs[d]
	if w.away || !ok {
		return api.BlobInfo{}, errors.New("no reachable member has it")
	}
	if size > 0 && size != int64(len(b)) {
		return api.BlobInfo{}, errors.New("it has another size")
	}
	return w.store.Put(ctx, bytes.NewReader(b), int64(len(b)), d)
}

func (w *world) put(seed byte, n int) api.Digest {
	w.t.Helper()
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	info, err := w.store.Put(context.Background(), bytes.NewReader(b), int64(n), api.Sum(b))
	if err != nil {
		w.t.Fatal(err)
	}
	w.blobs[info.SHA256] = b
	return info.SHA256
}

// spoil flips a bit in a chunk of a blob.
func (w *world) spoil(d api.Digest, chunk int) {
	w.t.Helper()
	idx, err := w.store.Index(d)
	if err != nil {
		w.t.Fatal(err)
	}
	name := idx.Chunks[chunk].SHA256.String()
	path := filepath.Join(w.dir, "chunks", name[:2], name)
	b, err := os.ReadFile(path)
	if err == nil {
		b[len(b)/2] ^= 8
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// age makes a blob one that nobody has used since long before the clock of package
// synctest begins.
func (w *world) age(d api.Digest) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "blobs", d.String()[:2], d.String()+"*"))
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no index of %s: %v", d, err)
	}
	at := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range files {
		if err := os.Chtimes(f, at, at); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) sound(d api.Digest) {
	w.t.Helper()
	r, err := w.store.Open(d)
	if err != nil {
		w.t.Errorf("open: %v", err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, w.blobs[d]) {
		w.t.Errorf("read %d bytes, %v", len(got), err)
	}
}

// verify returns the lines of a verification, added up.
func (w *world) verify() (sum api.VerifyProgress) {
	w.t.Helper()
	err := w.Verify(context.Background(), func(p api.VerifyProgress) error {
		if err := p.Validate(); err != nil || sum.End || p.Done < sum.Done || p.Done > p.Total {
			w.t.Errorf("line %+v after %+v: %v", p, sum, err)
		}
		sum.Done, sum.Total, sum.End = p.Done, p.Total, p.End
		sum.Damaged = append(sum.Damaged, p.Damaged...)
		sum.Mended = append(sum.Mended, p.Mended...)
		sum.Lost = append(sum.Lost, p.Lost...)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, list := range [][]api.Digest{sum.Damaged, sum.Mended, sum.Lost} {
		slices.SortFunc(list, api.Digest.Compare)
	}
	return sum
}

func sorted(list ...api.Digest) []api.Digest {
	slices.SortFunc(list, api.Digest.Compare)
	return list
}

// A verification finds what the disk has changed, and mends it.
func TestVerify(t *testing.T) {
	w := newWorld(t, t.TempDir())
	var all []api.Digest
	for seed := range byte(5) {
		all = append(all, w.put(seed, 3*mib))
	}
	stored := w.store.Stats().Bytes
	if got := w.verify(); got.Done != stored || got.Total != stored || !got.End || len(got.Damaged)+len(got.Mended)+len(got.Lost) != 0 {
		t.Errorf("a sound store: %+v", got)
	}
	w.spoil(all[0], 0)
	w.spoil(all[1], 1)
	w.spoil(all[1], 2)
	got := w.verify()
	if want := sorted(all[0], all[1]); !slices.Equal(got.Damaged, want) || !slices.Equal(got.Mended, want) || len(got.Lost) != 0 {
		t.Errorf("with damage: %+v, want %v", got, want)
	}
	for _, d := range all {
		w.sound(d)
	}
	if got := w.verify(); len(got.Damaged) != 0 {
		t.Errorf("once it is mended: %+v", got)
	}
	st := w.Stats()
	if st.Damaged < 2 || st.Mended != 2 || st.Bytes < 2*stored || st.Completed.IsZero() {
		t.Errorf("counted %+v", st)
	}
}

// What no member can give is told, and tried again later, if it is wanted.
func TestLost(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir)
	kept, used, old := w.put(1, mib), w.put(2, mib), w.put(3, mib)
	w.wanted[kept] = true
	for _, d := range []api.Digest{kept, used, old} {
		w.spoil(d, 0)
	}
	w.away = true
	got := w.verify()
	if want := sorted(kept, used, old); !slices.Equal(got.Damaged, want) || !slices.Equal(got.Lost, want) || len(got.Mended) != 0 {
		t.Errorf("%+v", got)
	}
	w.age(kept)
	w.age(old)
	blobs := w.blobs
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir) // the process has ended meanwhile
		w.blobs, w.wanted[kept], w.away = blobs, true, true
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		if st := w.Stats(); st.Lost != 2 || st.Mended != 0 {
			t.Errorf("while the other member is away: %+v", st)
		}
		w.mu.Lock()
		w.away = false
		w.mu.Unlock()
		time.Sleep(w.cfg.Retry + lastStep)
		synctest.Wait()
		if st := w.Stats(); st.Lost != 0 || st.Mended != 2 {
			t.Errorf("when it is back: %+v", st)
		}
		w.sound(kept)
		w.sound(used)
		if _, err := w.store.Index(old); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what nobody wants was brought again: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What is pinned comes back even if its index is gone.
func TestPinnedAndGone(t *testing.T) {
	w := newWorld(t, t.TempDir())
	d := w.put(1, mib)
	if _, _, err := w.store.Remove(t.Context(), []api.Digest{d}); err != nil {
		t.Fatal(err)
	}
	w.pinned = []api.Digest{d}
	w.retry(t.Context())
	w.sound(d)
	if w.retry(t.Context()); w.tries != 1 {
		t.Errorf("fetched %d times", w.tries)
	}
}

// In the background every chunk is read within the period, gently, and a restart goes on
// where the last run stood.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	first := newWorld(t, dir)
	var all []api.Digest
	for seed := range byte(40) {
		all = append(all, first.put(seed, mib))
	}
	blobs, stored := first.blobs, first.store.Stats().Bytes
	run := func(t *testing.T, w *world, d time.Duration) Stats {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		return w.Stats()
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir)
		w.blobs = blobs
		half := run(t, w, 31*time.Minute)
		if half.Bytes < stored/3 || half.Bytes > stored*3/4 || !half.Completed.IsZero() {
			t.Errorf("in half of the period: %+v of %d bytes", half, stored)
		}
		w.spoil(all[7], 0)
		w = newWorld(t, dir) // restarted
		w.blobs = blobs
		rest := run(t, w, 32*time.Minute)
		if sum := half.Bytes + rest.Bytes; rest.Completed.IsZero() || sum < stored || sum > stored+stored/4 {
			t.Errorf("after a restart: %+v; both runs read %d of %d bytes", rest, sum, stored)
		}
		again := run(t, w, 80*time.Minute)
		if again.Damaged != 1 || again.Mended != 1 {
			t.Errorf("one round later: %+v", again)
		}
		w.sound(all[7])
		if last := newWorld(t, dir); !last.Stats().Completed.Equal(again.Completed) {
			t.Errorf("the last round ended %v, remembered %v", again.Completed, last.Stats().Completed)
		}
	})
}

func TestPace(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.put(1, 4*mib)
	w.cfg.Rate, w.cfg.Period = mib, 10*time.Second
	for read, want := range map[int64]time.Duration{
		0:         lastStep,        // nothing is there
		4:         firstStep,       // no busy loop
		2 * mib:   5 * time.Second, // half of the store, half of the period
		20 * mib:  50 * time.Second,
		1e6 * mib: 1e6 * time.Second, // no faster than the rate
	} {
		if got := w.pace(read); got != want {
			t.Errorf("after %d bytes: %v, want %v", read, got, want)
		}
	}
}

// A file that says where the scrub stood, and does not, costs a round and no more.
func TestDamagedPlace(t *testing.T) {
	for _, text := range []string{"", "{", `{"after":"x"}`, `{"surplus":1}`, string(make([]byte, maxPlace+1))} {
		w := newWorld(t, t.TempDir())
		if err := os.WriteFile(w.cfg.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := w.load(); got != (place{}) {
			t.Errorf("%.20q: %+v", text, got)
		}
	}
}

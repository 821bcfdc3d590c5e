package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

func leakTestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every row is a mesh of real HTTP servers. The blob arrives whole and right
// whenever one of its providers is honest, whatever the others do.
func TestOneHonestProviderIsEnough(t *testing.T) {
	blob := noise(1, 5*mib+99)
	tests := []struct {
		name  string
		bad   func(t *testing.T, p *peer)
		named bool // the log names it as one that sends wrong bytes
	}{
		{"honest", func(*testing.T, *peer) {}, false},
		{"lacks the blob", func(_ *testing.T, p *peer) { p.on(isHave, reply(404, `{"error":"not here"}`)) }, false},
		{"lost its index", func(_ *testing.T, p *peer) { p.on(isIndex, reply(404, `{"error":"not here"}`)) }, false},
		{"lacks a chunk", func(_ *testing.T, p *peer) { p.spoils(3, lack) }, false},
		{"has no have", func(_ *testing.T, p *peer) { p.on(isHave, reply(200, "")) }, false},
		{"have is no JSON", func(_ *testing.T, p *peer) { p.on(isHave, reply(200, "hello\n")) }, true},
		{"have without end", func(_ *testing.T, p *peer) { p.on(isHave, endless(' ')) }, true},
		{"have of too few bits", func(_ *testing.T, p *peer) {
			p.on(isHave, replyHave(api.Have{Index: digest(indexOf(blob)), Chunks: 6}))
		}, true},
		{"have of too many chunks", func(_ *testing.T, p *peer) {
			p.on(isHave, replyHave(api.Have{Index: digest(indexOf(blob)), Chunks: 7, Whole: true}))
		}, true},
		{"index is no JSON", func(_ *testing.T, p *peer) { p.on(isIndex, reply(200, "hello")) }, true},
		{"index of another blob", func(_ *testing.T, p *peer) { p.on(isIndex, replyIndex(indexOf([]byte("other")))) }, true},
		{"another index than it has named", func(_ *testing.T, p *peer) { p.on(isIndex, replyIndex(coarser(blob))) }, true},
		{"index with wrong sum", func(_ *testing.T, p *peer) { p.on(isIndex, replyIndex(withSize(indexOf(blob), 7))) }, true},
		{"index without end", func(_ *testing.T, p *peer) { p.on(isIndex, endless(' ')) }, true},
		{"index leads elsewhere", func(t *testing.T, p *peer) { lyingIndex(t, p, blob); p.on(isChunk, p.answer) }, true},
		{"flips a bit", func(_ *testing.T, p *peer) { p.spoils(2, flipBit(p)); p.frameless(mib) }, true},
		{"flips a bit, and sends half when asked again", func(_ *testing.T, p *peer) { p.spoils(2, flipBit(p)); p.frameless(mib / 2) }, true},
		{"has a flipped bit on its disk", func(_ *testing.T, p *peer) {
			p.spoils(2, flipBit(p))
			p.on(isOneChunk, reply(404, `{"error":"not here"}`))
		}, false},
		{"had a flipped bit on its disk", func(_ *testing.T, p *peer) { p.spoils(2, flipBit(p)) }, false},
		{"chunk too long", func(_ *testing.T, p *peer) { p.spoils(1, frame(mib+1, mib+1)) }, true},
		{"chunk without end", func(_ *testing.T, p *peer) { p.on(isChunk, endless('x')) }, true},
		{"chunk empty", func(_ *testing.T, p *peer) { p.spoils(2, frame(0, 0)) }, true},
		{"bytes after the chunks", func(_ *testing.T, p *peer) {
			p.on(isChunk, func(w http.ResponseWriter, r *http.Request) { p.sendChunks(w, r); _, _ = w.Write([]byte("x")) })
		}, true},
		{"refuses", func(_ *testing.T, p *peer) { p.on(anything, reply(500, "trouble")) }, false},
		{"refuses chunks", func(_ *testing.T, p *peer) { p.on(isChunk, reply(500, "trouble")) }, false},
		{"answers nothing", func(_ *testing.T, p *peer) { p.on(anything, stall) }, false},
		{"stalls in a chunk", func(_ *testing.T, p *peer) { p.spoils(2, halfThenStall(p)) }, false},
		{"hangs up in a chunk", func(_ *testing.T, p *peer) { p.spoils(2, hangUp(p)) }, false},
		{"vanishes after two chunks", func(_ *testing.T, p *peer) { p.spoils(3, vanish(p)) }, false},
		{"redirects", func(_ *testing.T, p *peer) { p.on(anything, reply(302, "")) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			bad := m.join("A", blob)
			tt.bad(t, bad)
			m.join("B", blob).waits(bad)
			if err := m.fetch(blob); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(m.log.String(), "level=WARN"); got != tt.named {
				t.Errorf("named as a liar: %v, want %v; log:\n%s", got, tt.named, m.log.String())
			}
			if tt.named && !strings.Contains(m.log.String(), bad.id.String()) {
				t.Errorf("the log does not name %s:\n%s", bad.id, m.log.String())
			}
			dropped := 0.0
			if tt.named {
				dropped = 1
			}
			if n := m.metric("dropped_total"); n != dropped {
				t.Errorf("%v members were dropped, want %v", n, dropped)
			}
			m.onlyBlob(blob)
		})
	}
}

func TestNobodyHasIt(t *testing.T) {
	blob := noise(2, mib)
	tests := []struct {
		name string
		mesh func(m *mesh)
		err  error
		text string
	}{
		{"no member", func(*mesh) {}, ErrNoProvider, "push it again"},
		{"members lack it", func(m *mesh) { m.join("A"); m.join("B") }, ErrNoProvider, "AAAAAAAA: does not have it"},
		{"all lie", func(m *mesh) { p := m.join("A", blob); p.spoils(1, frame(mib, mib)); p.frameless(mib) }, ErrNoProvider, "sent what it should not"},
		{"all are away", func(m *mesh) { m.join("A", blob).server.Close() }, ErrUnreachable, "AAAAAAAA"},
		{"meshd is away", func(m *mesh) { m.providersErr.Store(true) }, ErrUnreachable, "ask the mesh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			tt.mesh(m)
			err := m.fetch(blob)
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("fetch: %v\nwant %v with %q", err, tt.err, tt.text)
			}
			if st := m.store.Stats(); st.Blobs != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// A provider that is away is asked again.
func TestProviderComesBack(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(3, 3*mib)
	p := m.join("A", blob)
	p.on(first(isHave, 3), reply(502, "no connection"))
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
}

// The caller's own end is the end of the fetch, and what has landed stays.
func TestResumeAfterCancel(t *testing.T) {
	m := newMesh(t)
	blob := noise(4, 8*mib)
	p := m.join("A", blob)
	ctx, cancel := context.WithCancel(t.Context())
	p.spoils(5, func(w http.ResponseWriter, r *http.Request, d api.Digest) { cancel(); stallAt(w, r, d) })
	if _, err := m.fetcher.Fetch(ctx, api.Sum(blob), 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("fetch: %v", err)
	}
	idx, err := m.store.Partial(api.Sum(blob))
	if err != nil {
		t.Fatal(err)
	}
	missing := len(m.store.Missing(idx))
	if missing == 0 || missing > 7 {
		t.Fatalf("%d chunks are missing after the cancel", missing)
	}
	m.restart() // as after a crash
	p.heal()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := p.chunks.Load(); int(n) != missing {
		t.Errorf("%d chunks were sent again, %d were missing", n, missing)
	}
}

// A blob with a damaged chunk is mended by that chunk alone.
func TestMendsOneChunk(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(5, 6*mib)
	p := m.join("A", blob)
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	m.damage(indexOf(blob).Chunks[3].SHA256)
	r, err := m.store.Open(api.Sum(blob))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("read: %v", err)
	}
	r.Close()
	p.heal()
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := p.chunks.Load(); n != 1 {
		t.Errorf("%d chunks were sent, one was damaged", n)
	}
}

// A chunk that goes bad while the others land is noticed before the blob counts.
func TestDamageDuringFetch(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(6, 8*mib)
	p := m.join("A", blob)
	var sent []api.Digest
	p.spoils(1, func(w http.ResponseWriter, _ *http.Request, d api.Digest) {
		p.mu.Lock()
		sent = append(sent, d)
		n, victim := len(sent), sent[0]
		p.mu.Unlock()
		if n == 8 {
			m.damage(victim)
		}
		p.sendChunk(w, d)
	})
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := p.chunks.Load(); n != 9 {
		t.Errorf("%d chunks were sent, want 8 and one again", n)
	}
}

// An index that differs from the one begun with waits until nobody else is left:
// a liar does not throw away what an honest member has sent.
func TestDifferingIndexWaits(t *testing.T) {
	m := newMesh(t)
	blob := noise(7, 6*mib)
	honest := m.join("A", blob)
	honest.spoils(4, vanish(honest))
	liar := m.join("B")
	lyingIndex(t, liar, blob)
	liar.waits(honest)
	last := m.join("C", blob)
	last.waits(honest)
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := last.chunks.Load(); n == 0 || n >= 6 {
		t.Errorf("the third member sent %d chunks, want what the first had not", n)
	}
	if strings.Contains(m.log.String(), "level=WARN") {
		t.Errorf("the liar was asked for chunks:\n%s", m.log.String())
	}
}

// An index that was begun with and leads nowhere gives way to another.
func TestBegunWithALie(t *testing.T) {
	m := newMesh(t)
	blob := noise(8, 3*mib)
	liar := m.join("A")
	lyingIndex(t, liar, blob)
	liar.spoils(2, vanish(liar))
	m.join("B", blob).waits(liar)
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	m.onlyBlob(blob)
}

func TestSizeIsChecked(t *testing.T) {
	m := newMesh(t)
	blob := noise(9, mib)
	p := m.join("A", blob)
	if _, err := m.fetcher.Fetch(t.Context(), api.Sum(blob), mib+1); !errors.Is(err, ErrNoProvider) {
		t.Fatalf("fetch: %v", err)
	}
	if p.chunks.Load() != 0 {
		t.Error("chunks of a blob of the wrong size were asked for")
	}
	if _, err := m.fetcher.Fetch(t.Context(), api.Sum(blob), mib); err != nil {
		t.Fatal(err)
	}
}

// Many callers share one fetch; when the first gives up another goes on.
func TestManyCallersOneFetch(t *testing.T) {
	m := newMesh(t)
	blob := noise(10, 4*mib)
	p := m.join("A", blob)
	begun := make(chan struct{})
	var once sync.Once
	p.on(first(isIndex, 1), func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(begun) })
		stall(w, r)
	})
	impatient, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 20)
	go func() {
		_, err := m.fetcher.Fetch(impatient, api.Sum(blob), 0)
		errs <- err
	}()
	<-begun
	for range 19 {
		go func() {
			_, err := m.fetcher.Fetch(t.Context(), api.Sum(blob), 0)
			errs <- err
		}()
	}
	cancel()
	gone := 0
	for range 20 {
		switch err := <-errs; {
		case errors.Is(err, context.Canceled):
			gone++
		case err != nil:
			t.Error(err)
		}
	}
	if gone != 1 {
		t.Errorf("%d callers were cancelled, want the first", gone)
	}
	if n := p.chunks.Load(); n != 4 {
		t.Errorf("%d chunks were sent, want 4: each once", n)
	}
}

// A caller that waits for another's fetch can give up by itself.
func TestWaiterGivesUp(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(11, mib)
	p := m.join("A", blob)
	release := make(chan struct{})
	begun := make(chan struct{}, 1)
	p.spoils(1, func(w http.ResponseWriter, _ *http.Request, d api.Digest) {
		begun <- struct{}{}
		<-release
		p.sendChunk(w, d)
	})
	done := make(chan error, 1)
	go func() { done <- m.fetch(blob) }()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := m.fetcher.Fetch(ctx, api.Sum(blob), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the waiter: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the first: %v", err)
	}
}

// Memory stays small whatever the blob's size: a few batches are on the way, of a few
// chunks each.
func TestBatchesAtOnce(t *testing.T) {
	m := newMesh(t)
	m.calm()
	blob := noise(12, 24*mib)
	p := m.join("A", blob)
	var now, most, asked, largest atomic.Int32
	raise := func(to *atomic.Int32, n int32) {
		for old := to.Load(); n > old && !to.CompareAndSwap(old, n); old = to.Load() {
		}
	}
	p.on(isChunk, func(w http.ResponseWriter, r *http.Request) {
		raise(&most, now.Add(1))
		defer now.Add(-1)
		var req api.ChunksRequest
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = api.Decode(b, 64<<10, &req)
		}
		if err != nil {
			t.Error(err)
		}
		n := int32(len(req.Chunks))
		raise(&largest, asked.Add(n))
		defer asked.Add(-n)
		time.Sleep(5 * time.Millisecond) // lets the others come
		r.Body = io.NopCloser(bytes.NewReader(b))
		p.answer(w, r)
	})
	if err := m.fetch(blob); err != nil {
		t.Fatal(err)
	}
	if n := most.Load(); n < 2 || n > workers {
		t.Errorf("%d batches at once, want 2 to %d", n, workers)
	}
	if n := largest.Load(); n < 2 || n > workers*mostBatch/mib {
		t.Errorf("%d chunks at once, want 2 to %d", n, workers*mostBatch/mib)
	}
}

func (m *mesh) fetch(blob []byte) error {
	info, err := m.fetcher.Fetch(m.t.Context(), api.Sum(blob), 0)
	if err != nil {
		return err
	}
	if want := (api.BlobInfo{SHA256: api.Sum(blob), Size: int64(len(blob))}); info != want {
		return fmt.Errorf("got %+v, want %+v", info, want)
	}
	return m.reads(blob)
}

// reads reads a blob back.
func (m *mesh) reads(blob []byte) error {
	r, err := m.store.Open(api.Sum(blob))
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(got, blob) {
		err = errors.New("other bytes")
	}
	return err
}

// onlyBlob checks that nothing but blob and its chunks is left.
func (m *mesh) onlyBlob(blob []byte) {
	m.t.Helper()
	st := m.store.Stats()
	got, want := []int64{st.Blobs, st.Partial, st.Chunks, st.Bytes}, []int64{1, 0, int64(len(indexOf(blob).Chunks)), int64(len(blob))}
	if !slices.Equal(got, want) {
		m.t.Errorf("blobs, partial ones, chunks and bytes: %d, want %d", got, want)
	}
	if _, err := m.store.Partial(api.Sum(blob)); !errors.Is(err, store.ErrNotFound) {
		m.t.Errorf("partial: %v", err)
	}
}

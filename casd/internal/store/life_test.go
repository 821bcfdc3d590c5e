package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

// life is a store in which everything happens at once, to blobs that share chunks.
type life struct {
	store *Store
	blobs [][]byte
	index []api.BlobIndex
}

func newLife(t *testing.T) *life {
	l := &life{store: openStore(t, t.TempDir())}
	for i := range uint64(12) {
		rng := rand.New(rand.NewPCG(i, 2))
		var parts [][]byte
		for range 1 + rng.IntN(3) {
			parts = append(parts, noise(100+rng.Uint64N(5), 90_000), noise(200+i, rng.IntN(70_000)))
		}
		b := slices.Concat(parts...)
		l.blobs, l.index = append(l.blobs, b), append(l.index, indexOf(t, b))
	}
	return l
}

func (l *life) put(ctx context.Context, i int) error {
	_, err := l.store.Put(ctx, bytes.NewReader(l.blobs[i]), int64(len(l.blobs[i])), l.index[i].SHA256)
	return err
}

// breakOff puts a part of a blob.
func (l *life) breakOff(ctx context.Context, i int) error {
	b := l.blobs[i]
	_, err := l.store.Put(ctx, bytes.NewReader(b[:len(b)/2]), int64(len(b)), l.index[i].SHA256)
	if !errors.Is(err, ErrMismatch) {
		return fmt.Errorf("half a blob: %w", err)
	}
	return nil
}

func (l *life) fetch(_ context.Context, i int) error {
	defer l.store.Lease(l.index[i].SHA256)()
	return l.store.fetch(l.index[i], l.blobs[i])
}

func (l *life) read(_ context.Context, i int) error {
	got, err := get(l.store, l.index[i].SHA256)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && !bytes.Equal(got, l.blobs[i]) {
		err = errors.New("other bytes")
	}
	return err
}

func (l *life) remove(ctx context.Context, i int) error {
	_, _, err := l.store.Remove(ctx, []api.Digest{l.index[i].SHA256, l.index[(i+1)%len(l.index)].SHA256})
	return err
}

func (l *life) check(ctx context.Context, i int) error {
	_, _, damaged, err := l.store.Check(ctx, l.index[i].SHA256, 20)
	if len(damaged) > 0 {
		err = fmt.Errorf("damaged: %v", damaged)
	}
	return err
}

func (l *life) list(context.Context, int) error {
	return l.store.Records(func(r Record) error {
		if r.Damaged || r.Has > r.Size || r.Whole && r.Has != r.Size {
			return fmt.Errorf("record %+v", r)
		}
		return nil
	})
}

// Puts, fetches, reads, removals and checks of blobs that share chunks do not get in
// each other's way: what is whole reads, and no chunk is left over.
func TestAllAtOnce(t *testing.T) {
	l := newLife(t)
	g, ctx := errgroup.WithContext(t.Context())
	end := time.Now().Add(3 * time.Second)
	for name, fn := range map[string]func(context.Context, int) error{
		"put": l.put, "put too": l.put, "break off": l.breakOff, "fetch": l.fetch, "fetch too": l.fetch,
		"read": l.read, "remove": l.remove, "check": l.check, "list": l.list} {
		g.Go(func() error {
			for n := 0; ctx.Err() == nil && time.Now().Before(end); n++ {
				// Two fetches of one blob at a time are the caller's to avoid.
				i := rand.IntN(len(l.blobs)/2) * 2
				if name == "fetch too" {
					i++
				}
				if err := fn(ctx, i); err != nil {
					return fmt.Errorf("%s, time %d: %w", name, n, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i := range l.blobs {
		if err := l.read(t.Context(), i); err != nil {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	closed(t, l.store)
	var all []api.Digest
	for _, idx := range l.index {
		all = append(all, idx.SHA256)
	}
	held := l.store.Stats().Bytes
	if _, freed, err := l.store.Remove(t.Context(), all); err != nil || freed != held {
		t.Errorf("freed %d bytes of %d: %v", freed, held, err)
	}
	if st := l.store.Stats(); !same(st, Stats{}) {
		t.Errorf("of nothing there is left: %+v", st)
	}
	if left := files(t, l.store); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What two blobs share stays as long as one of them does.
func TestRemove(t *testing.T) {
	s := openStore(t, t.TempDir())
	shared := noise(50, 200_000)
	a, b := put(t, s, slices.Concat(shared, noise(51, 100_000))), put(t, s, slices.Concat(shared, noise(52, 50_000)))
	part := s.fakeFetch(t, noise(53, 100_000), 2)
	before := s.Stats()

	gone, freed, err := s.Remove(t.Context(), []api.Digest{a, api.Sum(nil), part.SHA256})
	if err != nil || !slices.Equal(gone, []api.Digest{a, part.SHA256}) || freed != before.Bytes-s.Stats().Bytes || freed < 100_000 || freed > 180_000 {
		t.Errorf("removed %v, %d bytes, %v", gone, freed, err)
	}
	for _, d := range []api.Digest{a, part.SHA256} {
		if _, err := s.Open(d); !errors.Is(err, ErrNotFound) {
			t.Errorf("open: %v", err)
		}
	}
	if _, err := get(s, b); err != nil {
		t.Errorf("the other: %v", err)
	}
	if err := s.PutChunk(part.Chunks[0], noise(53, 100_000)[:part.Chunks[0].Size]); !errors.Is(err, ErrNotFound) {
		t.Errorf("a chunk that nothing lists: %v", err)
	}
	closed(t, s)
}

func TestLeases(t *testing.T) {
	s := openStore(t, t.TempDir())
	d := put(t, s, noise(54, 100_000))
	part := s.fakeFetch(t, noise(55, 100_000), 1)
	r, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	once, twice := s.Lease(part.SHA256), s.Lease(part.SHA256)
	both := []api.Digest{d, part.SHA256}
	keeps := func(want ...api.Digest) {
		t.Helper()
		gone, _, err := s.Remove(t.Context(), both)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range both {
			if slices.Contains(want, d) == slices.Contains(gone, d) {
				t.Errorf("%s: removed %v", d.Short(), gone)
			}
		}
	}
	keeps(both...)
	once()
	once()
	keeps(both...)
	if got, err := bytesOf(r); err != nil || api.Sum(got) != d {
		t.Errorf("read: %d bytes, %v", len(got), err)
	}
	r.Close()
	keeps(part.SHA256)
	twice()
	both = both[1:]
	keeps()
	if st := s.Stats(); !same(st, Stats{}) {
		t.Errorf("left: %+v", st)
	}
}

func TestRemoveEndsWithItsContext(t *testing.T) {
	s := openStore(t, t.TempDir())
	d := put(t, s, noise(56, 10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if gone, _, err := s.Remove(ctx, []api.Digest{d}); len(gone) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("removed %v, %v", gone, err)
	}
}

// A fetch goes on from what is here; several at once of what overlaps with a put are
// whole in the end.
func TestPutWhileFetching(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(57, 300_000)
	idx := s.fakeFetch(t, b, 3)
	put(t, s, b)
	if _, err := s.Partial(idx.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("still partial: %v", err)
	}
	if err := s.Complete(t.Context(), idx); err != nil {
		t.Errorf("the fetch that came late: %v", err)
	}
	if st := s.Stats(); st.Blobs != 1 || st.Partial != 0 || st.Bytes != int64(len(b)) {
		t.Errorf("stats %+v", st)
	}
	closed(t, s)
}

package collect

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// Chunks that a blob which must stay shares with one that may go stay.
func TestStatusCountsSharedChunksOnce(t *testing.T) {
	w := newWorld(t, t.TempDir(), 100*unit)
	first := noise(1, 8*unit)
	second := slices.Concat(first, noise(2, 4*unit))
	a, b := w.put(first), w.put(second)
	alone := w.put(noise(3, 2*unit))
	stored := w.store.Stats().Bytes
	expect := func(what string, needed, frees int64) {
		t.Helper()
		st := w.status()
		if st.Needed+st.Cached != st.Stored || st.Stored != stored || st.Needed != needed {
			t.Errorf("%s: %+v, want %d needed", what, st, needed)
		}
		if got := w.collect(api.CollectRequest{DryRun: true}); got.Freed != frees {
			t.Errorf("%s: collecting would free %d bytes, want %d", what, got.Freed, frees)
		}
	}
	expect("nothing is needed", 0, stored)
	w.pin(a)
	expect("the first is pinned", 8*unit, stored-8*unit)
	w.refs.need(b, true)
	expect("the second is needed, too", stored-2*unit, 2*unit)
	w.refs.need(alone, false)
	expect("the third is needed elsewhere", stored-2*unit, 0)
	w.refs.elsewhere[alone] = true
	expect("where its keepers confirm it", stored-2*unit, 2*unit)
}

// A dry run names what a real one takes then, and takes nothing.
func TestDryRun(t *testing.T) {
	w := newWorld(t, t.TempDir(), 100*unit)
	blobs := w.puts(6, unit)
	w.pin(blobs[1])
	for _, req := range []api.CollectRequest{{Free: 2*unit - 5}, {Free: 1}, {}} {
		dry := req
		dry.DryRun = true
		would := w.collect(dry)
		before := w.store.Stats()
		if w.collect(dry); w.store.Stats() != before {
			t.Fatalf("a dry run changed %+v to %+v", before, w.store.Stats())
		}
		got := w.collect(req)
		if len(got.Blobs) != len(would.Blobs) || got.Freed != would.Freed || got.Freed != before.Bytes-w.store.Stats().Bytes {
			t.Errorf("%+v: would take %+v, took %+v", req, would, got)
		}
		for i := range got.Blobs {
			if got.Blobs[i] != would.Blobs[i] {
				t.Errorf("%+v: would take %v, took %v", req, would.Blobs[i], got.Blobs[i])
			}
		}
	}
	w.want("in the end", blobs, false, true, false, false, false, false)
}

// A dry run waits for nobody who collects, nor the other way round.
func TestDryRunBesideOthers(t *testing.T) {
	w := newWorld(t, t.TempDir(), 100*unit)
	w.puts(2, unit)
	end, err := w.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := w.Collect(ctx, api.CollectRequest{DryRun: true}); err != nil || got.Freed != 2*unit {
		t.Errorf("%+v, %v", got, err)
	}
}

// A node is full when too much must stay, and no more when enough of it may go.
func TestFull(t *testing.T) {
	w := newWorld(t, t.TempDir(), 20*unit)
	look := func(what string, want bool) {
		t.Helper()
		was, told := w.Full(), w.Full()
		if err := w.look(t.Context(), func(now bool) { told = now }); err != nil {
			t.Fatal(err)
		}
		if w.Full() != want || told != want {
			t.Errorf("%s: full %v, told %v, was %v; want %v", what, w.Full(), told, was, want)
		}
	}
	look("empty", false)
	blobs := w.puts(20, unit)
	look("all cached", false)
	for _, d := range blobs[:19] {
		w.refs.need(d, true)
	}
	look("95 % needed", false)
	w.pin(blobs[19])
	look("all of it needed", true)
	w.refs.forget(blobs[0])
	w.refs.forget(blobs[1])
	look("90 % needed", true)
	w.refs.forget(blobs[2])
	look("85 % needed", true)
	w.refs.forget(blobs[3])
	look("80 % needed", false)
	w.refs.need(blobs[0], true)
	w.refs.need(blobs[1], true)
	w.refs.need(blobs[2], true)
	look("95 % again", false)
}

// A quota that was lowered is met by collecting, in the background.
func TestLoweredQuota(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 20*unit)
	blobs := w.puts(10, unit)
	w.pin(blobs[0])
	again := newWorld(t, dir, 5*unit)
	if err := again.look(t.Context(), func(bool) {}); err != nil {
		t.Fatal(err)
	}
	again.within()
	again.want("under a lower quota", blobs, true, false, false, false, false, false, false, true, true, true)
}

// Run looks at the start, now and then, and soon after a collection.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 20*unit)
	for _, d := range w.puts(20, unit) {
		w.refs.need(d, true)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, 20*unit)
		ctx, cancel := context.WithCancel(t.Context())
		var told []bool
		ended := make(chan error)
		for _, d := range digests(t, w) {
			w.refs.need(d, true)
		}
		go func() { ended <- w.Run(ctx, func(full bool) { told = append(told, full) }) }()
		synctest.Wait()
		if len(told) != 1 || !told[0] {
			t.Fatalf("at the start: %v", told)
		}
		for _, d := range digests(t, w) {
			w.refs.forget(d)
		}
		time.Sleep(w.cfg.Look)
		synctest.Wait()
		if len(told) != 2 || told[1] {
			t.Fatalf("later: %v", told)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func digests(t *testing.T, w *world) (out []api.Digest) {
	t.Helper()
	if err := w.store.Records(func(r store.Record) error { out = append(out, r.SHA256); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPinWhatIsNotHere(t *testing.T) {
	w := newWorld(t, t.TempDir(), unit)
	if err := w.Pin(api.Sum(nil)); !errors.Is(err, store.ErrNotFound) || w.Pinned(api.Sum(nil)) {
		t.Errorf("pin: %v", err)
	}
	b := noise(1, 3*kib)
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}, Chunks: []api.BlobInfo{{SHA256: api.Sum(b), Size: int64(len(b))}}}
	if err := w.store.Begin(idx); err != nil {
		t.Fatal(err)
	}
	w.pin(idx.SHA256)
	w.collect(api.CollectRequest{})
	if _, err := w.store.Partial(idx.SHA256); err != nil || !w.Pinned(idx.SHA256) {
		t.Errorf("a fetch that is pinned: %v", err)
	}
}

package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/pins"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// The least recently used go first, down to nine tenths, and no further.
func TestLeastRecentlyUsedGoFirst(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	blobs := w.puts(10, unit)
	last := w.put(noise(1, unit))
	w.want("after one more", append(blobs, last), false, false, true, true, true, true, true, true, true, true, true)
	w.within()
	if n, size, _ := w.Totals(); n != 2 || size != 2*unit {
		t.Errorf("counted %d blobs, %d bytes", n, size)
	}
	w.put(noise(2, unit)) // there is room for it by now
	if n, _, _ := w.Totals(); n != 2 {
		t.Errorf("collected again, %d blobs in all, while there was room", n)
	}
}

// What is needed here, pinned or being read stays, however old it is.
func TestWhatStays(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	blobs := w.puts(10, unit)
	w.refs.need(blobs[0], true)
	w.refs.need(blobs[1], false) // elsewhere, where nobody confirms it
	w.pin(blobs[2])
	r, err := w.store.Open(blobs[3])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	release := w.store.Lease(blobs[4])
	defer release()
	w.put(noise(1, 4*unit))
	w.want("after 4 more", blobs, true, true, true, true, true, false, false, false, false, false)

	var full *Refusal
	if _, err := w.tryPut(noise(2, 6*unit)); !errors.As(err, &full) || !full.ByQuota {
		t.Errorf("6 units more: %v", err)
	}
	w.want("after a refusal", blobs[:5], true, true, true, true, true)

	release()
	w.put(noise(3, 6*unit))
	w.want("with a lease less", blobs[:5], true, true, true, true, false)
	if err := w.Unpin(blobs[2]); err != nil {
		t.Fatal(err)
	}
	w.refs.forget(blobs[0])
	w.collect(api.CollectRequest{})
	w.want("with neither pin nor need", blobs[:4], false, true, false, true)
	w.sound(blobs[3], noise(1003, unit))
}

// A blob that is needed elsewhere goes only where all else is not enough, and only when
// its keepers have confirmed that they have it.
func TestNeededElsewhere(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10*unit)
	blobs := w.puts(10, unit)
	for _, d := range blobs[:4] {
		w.refs.need(d, false)
	}
	w.refs.elsewhere[blobs[1]] = true
	w.refs.elsewhere[blobs[2]] = true
	w.put(noise(1, unit))
	w.want("while others go", blobs[:4], true, true, true, true)
	if len(w.refs.asked) != 0 {
		t.Errorf("asked keepers of %d blobs for nothing", len(w.refs.asked))
	}
	w.put(noise(2, 7*unit))
	w.want("when all else is gone", blobs, true, false, false, true, false, false, false, false, false, false)
	if _, err := w.tryPut(noise(3, 9*unit)); !errors.Is(err, disk.ErrFull) {
		t.Errorf("more than can go: %v", err)
	}
	w.within()
}

// Keepers that do not answer hold a writer up for a bounded time.
func TestKeepersThatAreSlow(t *testing.T) {
	w := newWorld(t, t.TempDir(), 4*unit)
	w.cfg.Confirm = 100 * time.Millisecond
	w.refs.slow = time.Minute
	for _, d := range w.puts(4, unit) {
		w.refs.need(d, false)
	}
	began := time.Now()
	if _, err := w.tryPut(noise(1, unit)); !errors.Is(err, disk.ErrFull) {
		t.Errorf("put: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("refused after %v", took)
	}
}

// What can not be met is refused before anything goes, in words.
func TestRefusal(t *testing.T) {
	w := newWorld(t, t.TempDir(), 20*mib)
	blobs := w.puts(3, 3*mib)
	w.pin(blobs[0])
	w.refs.need(blobs[1], true)
	_, err := w.tryPut(noise(1, 70*mib))
	var full *Refusal
	if !errors.As(err, &full) || !errors.Is(err, disk.ErrFull) || full.Missing != 59*mib || !full.ByQuota {
		t.Fatalf("%+v", err)
	}
	for _, want := range []string{"store full", "59 MiB are missing", "quota of 20 MiB", "6 are needed", "3 are cached", "realm storage gc", "realm storage unpin", "realm rm", "--storage-quota-mb"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	w.want("after the refusal", blobs, true, true, true)
	if st := w.store.Stats(); st.Reserved != 0 || st.Staged != 0 {
		t.Errorf("what was refused is counted: %+v", st)
	}
	if _, _, refused := w.Totals(); refused != 1 {
		t.Errorf("%d refusals", refused)
	}
}

// A new version that shares most of its chunks with what must stay fits, although its
// size alone does not.
func TestSharedChunksFit(t *testing.T) {
	w := newWorld(t, t.TempDir(), 20*unit)
	old := noise(1, 16*unit)
	w.refs.need(w.put(old), true)
	changed := slices.Concat(old, noise(2, unit))
	w.sound(w.put(changed), changed)
	w.within()
}

// As long as it is not known what the realm needs, nothing goes.
func TestNothingIsKnown(t *testing.T) {
	w := newWorld(t, t.TempDir(), 4*unit)
	w.refs.unknown = true
	blobs := w.puts(4, unit)
	if _, err := w.tryPut(noise(1, unit)); !errors.Is(err, disk.ErrFull) || !strings.Contains(err.Error(), "not known yet") {
		t.Errorf("put: %v", err)
	}
	if _, err := w.Collect(t.Context(), api.CollectRequest{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("collect: %v", err)
	}
	if err := w.look(t.Context(), func(bool) { t.Error("judged") }); err != nil {
		t.Error(err)
	}
	w.want("unknown", blobs, true, true, true, true)
	if st := w.status(); st.Needed != 4*unit || st.Cached != 0 {
		t.Errorf("status: %+v", st)
	}
}

// Writers side by side share the room: together they never take more than the quota, and
// what one was promised is not given to another.
func TestConcurrentPutsAtTheQuota(t *testing.T) {
	w := newWorld(t, t.TempDir(), 16*unit)
	kept := w.put(noise(99, 4*unit))
	w.pin(kept)
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			default:
				w.within()
			}
		}
	}()
	var g errgroup.Group
	var done, full int
	results := make(chan error, 64)
	for worker := range 8 {
		g.Go(func() error {
			for i := range 8 {
				b := noise(uint64(worker*100+i), 1*unit+(worker+i)%4*unit)
				d, err := w.tryPut(b)
				if err == nil && d != api.Sum(b) {
					err = fmt.Errorf("blob %s has another digest", d)
				}
				if err != nil && !errors.Is(err, disk.ErrFull) {
					return err
				}
				results <- err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	close(stop)
	<-watched
	for range 64 {
		if err := <-results; err == nil {
			done++
		} else {
			full++
		}
	}
	w.put(noise(98, 12*unit)) // all that the pinned one leaves
	t.Logf("%d stored, %d refused", done, full)
	if done == 0 {
		t.Error("nothing was stored")
	}
	w.sound(kept, noise(99, 4*unit))
	if st := w.store.Stats(); st.Reserved != 0 || st.Staged != 0 {
		t.Errorf("counted for writers that have ended: %+v", st)
	}
}

// A pin that was given holds: no collection that is on its way takes the blob.
func TestPinsWhileCollecting(t *testing.T) {
	w := newWorld(t, t.TempDir(), 64*unit)
	for round := range 20 {
		blobs := make([]api.Digest, 8)
		for i := range blobs {
			blobs[i] = w.put(noise(uint64(round*8+i), 64*kib))
		}
		var g errgroup.Group
		g.Go(func() error {
			_, err := w.Collect(context.Background(), api.CollectRequest{})
			return err
		})
		pinned := make([]bool, len(blobs))
		g.Go(func() error {
			for i, d := range slices.Backward(blobs) {
				err := w.Pin(d)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				pinned[i] = err == nil
			}
			return nil
		})
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for i, d := range blobs {
			if pinned[i] && !w.has(d) {
				t.Fatalf("round %d: blob %d is pinned and gone", round, i)
			}
			if pinned[i] {
				if err := w.Unpin(d); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := w.Unpin(api.Sum(nil)); !errors.Is(err, pins.ErrNotPinned) {
		t.Errorf("unpin what is not: %v", err)
	}
}

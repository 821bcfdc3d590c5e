package casd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

// all are the blobs that were announced, in any order.
func (b *fakeBus) all() []api.Digest {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Concat(b.announced...)
}

func (b *fakeBus) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *fakeBus) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.announced = nil
}

func digests(n int) []api.Digest {
	out := make([]api.Digest, n)
	for i := range out {
		out[i] = api.Sum([]byte{byte(i), byte(i >> 8)})
	}
	return out
}

// All blobs are announced at the start and every now and then, in batches that
// are valid and fit the bus; new ones at once.
func TestAnnouncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fakeBus{}
		here := digests(2*announceBatch + 7)
		var full atomic.Bool
		a := newAnnouncer(bus, func() ([]api.Digest, error) { return here, nil }, full.Load, time.Hour, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = a.run(ctx) }()

		expect := func(what string, batches, blobs int) {
			t.Helper()
			synctest.Wait()
			got := bus.all()
			slices.SortFunc(got, api.Digest.Compare)
			if n := len(slices.Compact(got)); n != blobs || len(bus.announced) != batches {
				t.Errorf("%s: %d blobs in %d batches, want %d in %d", what, n, len(bus.announced), blobs, batches)
			}
			for _, batch := range bus.announced {
				r := api.AnnounceRequest{Blobs: batch}
				if err := r.Validate(); err != nil {
					t.Error(err)
				}
			}
			if bus.full != full.Load() {
				t.Errorf("%s: full %v was told, want %v", what, bus.full, full.Load())
			}
			bus.forget()
		}
		expect("at the start", 3, len(here))
		a.add(here[0], here[1], here[0])
		expect("new ones", 1, 2)
		time.Sleep(time.Hour)
		expect("an hour later", 3, len(here))
		bus.fail(errors.New("refused"))
		a.add(here[0])
		expect("refused", 0, 0)
		bus.fail(nil)
		time.Sleep(time.Hour)
		expect("after refusals", 3, len(here))
		full.Store(true)
		a.fullChanged()
		expect("when the store is full", 1, 0)
		a.add(here[0])
		expect("another blob, while it is full", 1, 1)
		full.Store(false)
		a.fullChanged()
		expect("when it is so no more", 1, 0)
	})
}

// A put does not wait for meshd.
func TestPutWhileMeshdHangs(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	n.bus.mu.Lock() // meshd hangs in the middle of an answer
	d := n.put(noise(11, 10))
	n.bus.mu.Unlock()
	n.until("it is announced", func() bool { return slices.Contains(n.bus.all(), d) })
}

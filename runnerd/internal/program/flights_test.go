package program

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
)

func TestOneFlightForAll(t *testing.T) {
	failed := errors.New("no member has it")
	for name, want := range map[string]error{"well": nil, "badly": failed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlights()
				var calls, mine atomic.Int32
				var wg sync.WaitGroup
				for range 1000 {
					wg.Go(func() {
						own, err := f.do(t.Context(), flightKey{}, func() error {
							calls.Add(1)
							time.Sleep(time.Second)
							return want
						})
						if !errors.Is(err, want) {
							t.Error(err)
						}
						if own {
							mine.Add(1)
						}
					})
				}
				wg.Wait()
				if calls.Load() != 1 || mine.Load() != 1 || len(f.now) != 0 {
					t.Errorf("%d calls, %d of their own, %d left", calls.Load(), mine.Load(), len(f.now))
				}
			})
		})
	}
}

func TestFlightsHavePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlights()
		var now, most atomic.Int32
		var wg sync.WaitGroup
		for i := range 4 * maxFlights {
			wg.Go(func() {
				_, err := f.do(t.Context(), flightKey{blob: api.Sum(fmt.Append(nil, i))}, func() error {
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Second)
					now.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most.Load() > maxFlights {
			t.Errorf("%d at once", most.Load())
		}
	})
}

// TestFlightThatIsGivenUp has the one who makes a program ready lose interest.
func TestFlightThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlights()
		ctx, cancel := context.WithCancel(t.Context())
		wait := func() error { <-ctx.Done(); return context.Cause(ctx) }
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := f.do(ctx, flightKey{}, wait); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if _, err := f.do(t.Context(), flightKey{}, func() error { return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if _, err := f.do(ctx, flightKey{}, func() error { return nil }); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if len(f.now) != 0 || len(f.places) != 0 {
			t.Errorf("%d flights and %d places are left", len(f.now), len(f.places))
		}
	})
}

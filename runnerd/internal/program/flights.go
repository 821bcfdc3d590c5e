package program

import (
	"context"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// maxFlights is how many programs are fetched and checked at once. A place may be held
// up for minutes by members that are slow.
const maxFlights = 32

// flightKey names a program and what it is made ready for.
type flightKey struct {
	blob  api.Digest
	size  int64
	limit int // MiB
}

// flight is what somebody is making ready.
type flight struct {
	done chan struct{} // closed when it has ended
	err  error         // then: why it failed
	quit bool          // then: whoever made it has given up; it says nothing of the program
}

// flights has each program made ready by one caller at a time.
type flights struct {
	places chan struct{}

	mu  sync.Mutex
	now map[flightKey]*flight
}

func newFlights() flights {
	return flights{places: make(chan struct{}, maxFlights), now: map[flightKey]*flight{}}
}

// do calls fn, or waits for the end of somebody else's call for the same key (mine is
// false) and returns its error.
func (f *flights) do(ctx context.Context, k flightKey, fn func() error) (mine bool, err error) {
	for {
		f.mu.Lock()
		other, busy := f.now[k]
		if !busy {
			own := &flight{done: make(chan struct{})}
			f.now[k] = own
			f.mu.Unlock()
			return true, f.fly(ctx, k, own, fn)
		}
		f.mu.Unlock()
		select {
		case <-other.done:
			if !other.quit {
				return false, other.err
			}
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// fly calls fn once there is a place, and lands even if fn panics.
func (f *flights) fly(ctx context.Context, k flightKey, own *flight, fn func() error) error {
	own.quit = true
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.now, k)
		close(own.done)
	}()
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	own.err = fn()
	own.quit = own.err != nil && ctx.Err() != nil
	return own.err
}

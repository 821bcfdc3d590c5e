package pool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const most = 16

// shop makes numbers, each in so long, and counts them.
type shop struct {
	takes        time.Duration
	made, closed atomic.Int32
	fails        atomic.Bool
}

var errShop = errors.New("sold out")

func (s *shop) pool() *Pool[int32] {
	return New(Config[int32]{Make: s.one, Close: func(int32) { s.closed.Add(1) }, Most: most, AtOnce: 2})
}

func (s *shop) one(ctx context.Context) (int32, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if s.fails.Load() {
		return 0, errShop
	}
	return s.made.Add(1), nil
}

// TestNobodySharesAnInstance leases from many goroutines, and wants each instance once, and
// all closed in the end.
func TestNobodySharesAnInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop{takes: time.Millisecond}
		p := s.pool()
		var seen sync.Map
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 20 {
					i, done, err := p.Lease(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if _, twice := seen.LoadOrStore(i, true); twice {
						t.Errorf("instance %d was leased twice", i)
					}
					time.Sleep(time.Duration(i%7) * time.Millisecond)
					done()
				}
			})
		}
		all.Wait()
		p.Close()
		if s.made.Load() != s.closed.Load() || s.made.Load() < 1000 {
			t.Errorf("%d were made, %d closed", s.made.Load(), s.closed.Load())
		}
	})
}

// TestSizeFollowsTheLoad has a pool be as small as calls are rare, as large as they need it,
// and small again after them.
func TestSizeFollowsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop{takes: 10 * time.Millisecond}
		p := s.pool()
		defer p.Close()
		calls := func(every, during time.Duration) (waited int) {
			for range during / every {
				begun := time.Now()
				_, done, err := p.Lease(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if time.Since(begun) > 0 {
					waited++
				}
				done()
				time.Sleep(every)
			}
			return waited
		}
		if waited := calls(time.Second, 20*time.Second); waited > 1 {
			t.Errorf("%d rare calls waited", waited)
		}
		if ready, want := p.Size(); ready != least || want != least {
			t.Errorf("%d are ready for rare calls, of %d", ready, want)
		}
		burst := func() {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					_, done, err := p.Lease(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					done()
				})
			}
			all.Wait()
		}
		for range 20 {
			burst()
			time.Sleep(time.Second)
		}
		if ready, _ := p.Size(); ready < 8 || ready > most {
			t.Errorf("%d are ready for bursts of eight", ready)
		}
		calls(time.Second, 2*time.Minute)
		if ready, _ := p.Size(); ready > 2 {
			t.Errorf("%d are ready long after the bursts", ready)
		}
		time.Sleep(forget + 2*look)
		if ready, _ := p.Size(); ready != 0 || s.made.Load() != s.closed.Load() {
			t.Errorf("%d are ready when nobody calls; %d made, %d closed", ready, s.made.Load(), s.closed.Load())
		}
	})
}

// TestMakeFails gives the reason to who leases, and makes no more than it is asked for.
func TestMakeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop{takes: time.Millisecond}
		s.fails.Store(true)
		p := s.pool()
		for range 3 {
			if _, _, err := p.Lease(t.Context()); !errors.Is(err, errShop) {
				t.Errorf("lease: %v", err)
			}
			time.Sleep(time.Second)
		}
		s.fails.Store(false)
		if _, done, err := p.Lease(t.Context()); err != nil {
			t.Errorf("once it can be made: %v", err)
		} else {
			done()
		}
		p.Close()
		if _, done, err := p.Lease(t.Context()); err != nil {
			t.Errorf("after its end: %v", err)
		} else {
			done()
		}
		if ready, _ := p.Size(); ready != 0 || s.made.Load() != s.closed.Load() {
			t.Errorf("%d are ready, %d made, %d closed", ready, s.made.Load(), s.closed.Load())
		}
	})
}

package share

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// member asks for turns of size bytes, streams of them at once, as long as ctx lasts.
type member struct {
	name    string
	weight  int
	streams int
	size    func() int64
	hold    time.Duration // of a turn

	mu   sync.Mutex
	sent int64
	most int64 // the largest turn
}

func (m *member) run(ctx context.Context, q *Queue, all *sync.WaitGroup) {
	for range m.streams {
		all.Go(func() {
			for {
				m.mu.Lock()
				n := m.size()
				m.mu.Unlock()
				done, err := q.Turn(ctx, m.name, m.weight, n)
				if err != nil {
					return
				}
				time.Sleep(m.hold)
				m.mu.Lock()
				m.sent += n
				m.most = max(m.most, n)
				m.mu.Unlock()
				done()
			}
		})
	}
}

// compete runs members for so long, in fake time.
func compete(t *testing.T, cfg Config, d time.Duration, members ...*member) {
	t.Helper()
	q := New(cfg)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for _, m := range members {
		m.run(ctx, q, &all)
	}
	all.Wait()
	if n := len(q.flows); n != 0 || q.turns != 0 || q.given != 0 || q.wait != 0 {
		t.Errorf("left over: %d flows, %d turns, %d given, %d waiting", n, q.turns, q.given, q.wait)
	}
}

func fixed(n int64) func() int64 { return func() int64 { return n } }

// However many requests a member makes at once, and however small the other's are,
// both get the same bytes.
func TestGreedyMemberGetsItsShareOnly(t *testing.T) {
	for name, cfg := range map[string]Config{
		"four at once":   {AtOnce: 4, Each: 4, Slow: time.Hour},
		"one at once":    {AtOnce: 1, Each: 4, Slow: time.Hour},
		"bytes a second": {AtOnce: 8, Each: 8, Slow: time.Hour, Rate: 60e6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				greedy := &member{name: "greedy", weight: 1, streams: 64, size: fixed(1 << 20), hold: time.Millisecond}
				modest := &member{name: "modest", weight: 1, streams: 8, size: fixed(16 << 10), hold: time.Microsecond * 15}
				compete(t, cfg, 8*time.Second, greedy, modest)
				// One that comes first may be ahead by the turns that were free then, and
				// at the end by those that are on their way.
				if ahead := greedy.sent - modest.sent; ahead < -16<<20 || ahead > 16<<20 || modest.sent < 200<<20 {
					t.Errorf("greedy got %d MiB, modest %d MiB", greedy.sent>>20, modest.sent>>20)
				}
			})
		})
	}
}

// A flow that comes late gets its share from then on: neither less, because others
// have been there for long, nor more, because it has had nothing.
func TestLateComer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{AtOnce: 1, Each: 1, Slow: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		first := &member{name: "first", weight: 1, streams: 4, size: fixed(1000), hold: time.Millisecond}
		late := &member{name: "late", weight: 1, streams: 4, size: fixed(1000), hold: time.Millisecond}
		var all sync.WaitGroup
		first.run(ctx, q, &all)
		time.Sleep(10 * time.Second)
		first.mu.Lock()
		before := first.sent
		first.mu.Unlock()
		late.run(ctx, q, &all)
		all.Wait()
		if after := first.sent - before; math.Abs(float64(after-late.sent)) > 5000 {
			t.Errorf("with both there, the first got %d bytes, the late one %d", after, late.sent)
		}
	})
}

// Shares go by weight, whatever the sizes of turns are.
func TestSharesByWeight(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				var members []*member
				for i := range 2 + rnd.Uint64N(6) {
					sizes, most := rand.New(rand.NewPCG(seed, i)), 1+rnd.Int64N(1<<20)
					members = append(members, &member{name: fmt.Sprint(i), weight: 1 + rnd.IntN(8), streams: 4 + rnd.IntN(60),
						size: func() int64 { return 1 + sizes.Int64N(most) }, hold: 2 * time.Millisecond})
				}
				members[0].size = fixed(1 << 20)
				cfg := Config{AtOnce: 1 + rnd.IntN(4), Each: 4, Slow: time.Hour}
				if seed%2 == 0 {
					cfg.Rate = 1e6 * float64(1+rnd.IntN(100))
				}
				compete(t, cfg, 5*time.Second, members...)
				// The bound of start-time fair queueing, with AtOnce turns in the air: the
				// difference of two flows' shares is at most a few of their largest turns.
				for _, a := range members[1:] {
					b := members[0]
					sa, sb := float64(a.sent)/float64(a.weight), float64(b.sent)/float64(b.weight)
					slack := float64(2+cfg.AtOnce) * (float64(a.most)/float64(a.weight) + float64(b.most)/float64(b.weight))
					if math.Abs(sa-sb) > slack {
						t.Errorf("weights %d and %d got %d and %d bytes: apart by %.0f, at most %.0f", a.weight, b.weight, a.sent, b.sent, math.Abs(sa-sb), slack)
					}
				}
			})
		})
	}
}

// The bound on bytes a second holds over any time, but for the burst and one turn,
// and is used up while turns are waited for.
func TestRate(t *testing.T) {
	for _, mbs := range []float64{0.05, 1, 12.5, 400} {
		t.Run(fmt.Sprint(mbs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Config{Rate: mbs * 1e6, AtOnce: 8, Each: 8, Slow: time.Hour}
				m := &member{name: "a", weight: 1, streams: 8, size: fixed(300_000)}
				n := &member{name: "b", weight: 1, streams: 8, size: fixed(20_000)}
				compete(t, cfg, 5*time.Second, m, n)
				got, want := float64(m.sent+n.sent), cfg.Rate*5
				if over := float64(cfg.burst()) + 300_000; got > want+over || got < want*0.99-over {
					t.Errorf("%.0f bytes in 5 s, want %.0f", got, want)
				}
			})
		})
	}
}

// What a turn did not move is had by later ones: they wait for nothing until it is
// used up. Bytes that nobody paid for are not given back.
func TestRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		q := New(Config{Rate: size, AtOnce: 1, Each: 1, Slow: time.Hour})
		begun := time.Now()
		turn := func(moved int64) time.Duration {
			t.Helper()
			done, err := q.Turn(t.Context(), "a", 1, size)
			if err != nil {
				t.Fatal(err)
			}
			q.Refund(size - moved)
			done()
			return time.Since(begun).Round(10 * time.Millisecond)
		}
		// The first has the burst, a quarter of a second's, and owes the rest.
		for i, at := range []time.Duration{0, 750 * time.Millisecond, 750 * time.Millisecond, 1750 * time.Millisecond, 2750 * time.Millisecond} {
			moved := int64(size)
			if i == 0 {
				moved = 0
			}
			if got := turn(moved); got != at {
				t.Errorf("turn %d came after %v, want %v", i, got, at)
			}
		}
		q.Refund(-size)
		if q.credit != 0 {
			t.Errorf("a credit of %d bytes", q.credit)
		}
	})
}

// Turns at once are bounded, of all and of each, until they are slow.
func TestTurnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{AtOnce: 4, Each: 3, Slow: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		has := map[string]int{}
		expect := func(when string, stuck, other int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if has["stuck"] != stuck || has["other"] != other {
				t.Errorf("%s: %v, want %d and %d", when, has, stuck, other)
			}
		}
		var all sync.WaitGroup
		end := make(chan struct{})
		take := func(name string) {
			all.Go(func() {
				done, err := q.Turn(ctx, name, 1, 1)
				if err != nil {
					return
				}
				defer done()
				mu.Lock()
				has[name]++
				mu.Unlock()
				<-end
			})
		}
		for range 10 {
			take("stuck")
		}
		synctest.Wait()
		for range 10 {
			take("other")
		}
		expect("at first", 3, 1)
		time.Sleep(2 * time.Second)
		expect("once the turns are slow", 3, 3)
		cancel()
		close(end)
		all.Wait()
		if q.turns != 0 || q.given != 0 || len(q.flows) != 0 {
			t.Errorf("left over: %d turns, %d given, %v", q.turns, q.given, q.flows)
		}
	})
}

// Who gives up takes nothing with it, and is not charged.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{AtOnce: 1, Each: 1, Slow: time.Hour})
		hold, err := q.Turn(t.Context(), "holder", 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := q.Turn(ctx, "a", 1, 1<<40)
			errs <- err
		}()
		synctest.Wait()
		order := make(chan string, 2)
		for _, name := range []string{"b", "a"} {
			go func() {
				done, err := q.Turn(t.Context(), name, 1, 1000)
				order <- name
				if err == nil {
					done()
				}
			}()
			synctest.Wait()
		}
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("turn: %v", err)
		}
		if n := q.Waiting(); n != 2 {
			t.Errorf("%d wait, want 2", n)
		}
		hold()
		got := map[string]bool{<-order: true, <-order: true}
		if !got["a"] || !got["b"] {
			t.Errorf("served: %v", got)
		}
		if _, err := q.Turn(ctx, "c", 1, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

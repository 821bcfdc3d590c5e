package catchup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// crowd is members that answer without a network, in simulated time.
type crowd struct {
	mu     sync.Mutex
	asked  map[peer.ID][]time.Duration // when, since the start
	broken map[peer.ID]bool
	busy   bool
	start  time.Time
	done   map[peer.ID]int
}

// runner starts a Runner among n members that all serve the same.
func (c *crowd) runner(t *testing.T, us *shelf, n int, serve func(i int) http.Handler, first *First) *Runner {
	c.asked, c.broken, c.start, c.done = map[peer.ID][]time.Duration{}, map[peer.ID]bool{}, time.Now(), map[peer.ID]int{}
	var all []peer.ID
	handlers := map[string]http.Handler{}
	for i := range n {
		p := peerOf(byte(i + 1))
		all = append(all, p)
		handlers[p.String()] = serve(i)
	}
	client := us.client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := peer.Decode(r.URL.Host)
		c.mu.Lock()
		broken, busy := c.broken[p], c.busy
		if r.Method+" "+r.URL.Path == api.RouteSyncDigests {
			c.asked[p] = append(c.asked[p], time.Since(c.start))
		}
		c.mu.Unlock()
		if busy {
			local.WriteError(w, http.StatusTooManyRequests, errTooOften)
			return
		}
		if broken {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		handlers[r.URL.Host].ServeHTTP(w, r)
	}))
	r := NewRunner(Config{Client: client, Neighbours: func() []peer.ID { return all }, First: first, Log: meshtest.Log(),
		Done: func(p peer.ID, _ int, _ error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done[p]++
		}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (c *crowd) times(p peer.ID) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[p]
}

func (c *crowd) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.asked {
		n += len(a)
	}
	return n
}

func TestRunner(t *testing.T) {
	realm := meshtest.NewRealm(t)
	same := func(*testing.T) (us *shelf, serve func(int) http.Handler) {
		us = newShelf(realm.Pin)
		h := newShelf(realm.Pin).handler()
		return us, func(int) http.Handler { return h }
	}
	run := func(name string, fn func(t *testing.T, c *crowd, r *Runner)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c crowd
				us, serve := same(t)
				fn(t, &c, c.runner(t, us, 3, serve, nil))
			})
		})
	}
	p := peerOf(1)
	run("at once, and once", func(t *testing.T, c *crowd, r *Runner) {
		for range 5 {
			r.Ask(p)
		}
		synctest.Wait()
		if n := len(c.times(p)); n < 1 || n > 2 {
			t.Errorf("asked %d times", n)
		}
	})
	run("soon, and once", func(t *testing.T, c *crowd, r *Runner) {
		for range 100 {
			r.Soon(p)
		}
		time.Sleep(soon)
		synctest.Wait()
		if at := c.times(p); len(at) != 1 || at[0] < soon/2 {
			t.Errorf("asked after %v", at)
		}
	})
	run("after gossip", func(t *testing.T, c *crowd, r *Runner) {
		for range 100 {
			r.Stir()
		}
		time.Sleep(stirred * 4 / 3)
		synctest.Wait()
		if n := c.total(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
	run("without occasion", func(t *testing.T, c *crowd, _ *Runner) {
		time.Sleep(20 * Interval)
		synctest.Wait()
		if n := c.total(); n < 15 || n > 27 {
			t.Errorf("asked %d times in 20 intervals", n)
		}
	})
	run("all, not too often", func(t *testing.T, c *crowd, r *Runner) {
		for range 50 {
			r.AskAll()
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		if n := c.total(); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
	run("again when it fails", func(t *testing.T, c *crowd, r *Runner) {
		c.broken[p] = true
		r.Ask(p)
		time.Sleep(retryFirst * 3 / 2)
		c.mu.Lock()
		c.broken[p] = false
		c.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(c.times(p)); n != 3 {
			t.Errorf("asked %d times; want until it answers", n)
		}
	})
	run("later when it is too often", func(t *testing.T, c *crowd, r *Runner) {
		c.mu.Lock()
		c.busy = true
		c.mu.Unlock()
		r.Ask(p)
		synctest.Wait()
		c.mu.Lock()
		c.busy = false
		c.mu.Unlock()
		for range 10 {
			r.Soon(p)
			time.Sleep(rest / 20)
		}
		if n := len(c.times(p)); n != 1 {
			t.Errorf("asked %d times while it rests", n)
		}
		time.Sleep(rest)
		synctest.Wait()
		if n := len(c.times(p)); n < 2 {
			t.Error("never asked again")
		}
	})
	run("not for ever", func(t *testing.T, c *crowd, r *Runner) {
		c.broken[p] = true
		r.Ask(p)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if n := len(c.times(p)); n != 1+retries {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestFirstAnswers says how long a new member holds back.
func TestFirstAnswers(t *testing.T) {
	realm := meshtest.NewRealm(t)
	for _, c := range []struct {
		name         string
		known, there int
		broken       int
		want         time.Duration // at least; at most a second more
	}{
		{"three of five", 5, 5, 0, 0},
		{"one that is alone", 1, 1, 0, 0},
		{"two that are all", 2, 2, 0, 0},
		{"two of three", 3, 2, 0, firstWait},
		{"one of many", 9, 1, 0, firstWait},
		{"two of three, one is broken", 3, 3, 1, firstWait},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				us := newShelf(realm.Pin)
				var synced time.Duration
				start := time.Now()
				var crowd crowd
				done := make(chan struct{})
				r := crowd.runner(t, us, c.there, func(i int) http.Handler {
					return newShelf(realm.Pin, realm.Component(t, fmt.Sprint("w", i), 1)).handler()
				}, &First{Pin: realm.Pin, Known: func() int { return c.known }, Synced: func() { synced = time.Since(start); close(done) }})
				for i := range c.there {
					crowd.broken[peerOf(byte(i+1))] = i < c.broken
				}
				for i := range c.there {
					r.Ask(peerOf(byte(i + 1)))
				}
				<-done
				if synced < c.want || synced > c.want+time.Second {
					t.Errorf("it held back for %v; want %v", synced, c.want)
				}
				if want := min(c.there-c.broken, 3); us.Len() < want {
					t.Errorf("%d intents were taken; want %d", us.Len(), want)
				}
			})
		})
	}
}

// TestFirstOnAFullDisk tries again.
func TestFirstOnAFullDisk(t *testing.T) {
	realm := meshtest.NewRealm(t)
	synctest.Test(t, func(t *testing.T) {
		us := newShelf(realm.Pin)
		us.breakDisk(errors.New("disk full"))
		synced := false
		var crowd crowd
		r := crowd.runner(t, us, 1, func(int) http.Handler { return newShelf(realm.Pin, realm.Component(t, "web", 1)).handler() },
			&First{Pin: realm.Pin, Known: func() int { return 1 }, Synced: func() { synced = true }})
		r.Ask(peerOf(1))
		time.Sleep(firstWait / 2)
		synctest.Wait()
		if synced || us.Len() != 0 || !r.Holding() {
			t.Error("it is taken for synced with a full disk")
		}
		us.breakDisk(nil)
		time.Sleep(2 * firstWait)
		synctest.Wait()
		if !synced || us.Len() != 1 || r.Holding() {
			t.Error("it was not tried again")
		}
	})
}

// Package gate bounds how much runs at once, and how much waits for its turn.
//
// Nobody takes all: one key has at most a share of the places, so that a workload
// that hangs, or that everybody calls, leaves room for the others. Who comes first
// is let in first, among those that may enter.
package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy says that there is no place now, and too much waits already.
var ErrBusy = errors.New("too many calls at once on this node: try again in a moment")

// Config is the size of a gate.
type Config struct {
	Places   int           // at once
	Share    int           // of them for one key
	Queue    int           // waiting, for all keys together
	Patience time.Duration // how long one waits
}

// Gate is safe for use by several goroutines.
type Gate struct {
	cfg Config

	mu      sync.Mutex
	inside  map[string]int
	total   int
	waiting []*waiter
}

type waiter struct {
	key string
	in  chan struct{} // closed when it is let in
}

// New returns an open gate.
func New(c Config) *Gate { return &Gate{cfg: c, inside: map[string]int{}} }

// Enter waits for a place. The caller must call leave. Errors: [ErrBusy], or the
// cause of ctx.
func (g *Gate) Enter(ctx context.Context, key string) (leave func(), err error) {
	leave = sync.OnceFunc(func() { g.leave(key) })
	w, err := g.admit(key)
	if err != nil || w == nil {
		return leave, err
	}
	patience := time.NewTimer(g.cfg.Patience)
	defer patience.Stop()
	select {
	case <-w.in:
		return leave, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience.C:
		err = ErrBusy
	}
	if !g.abandon(w) { // let in meanwhile
		leave()
	}
	return nil, err
}

// admit lets key in (nil) or has it wait.
func (g *Gate) admit(key string) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room(key) {
		g.take(key)
		return nil, nil
	}
	if len(g.waiting) >= g.cfg.Queue {
		return nil, ErrBusy
	}
	w := &waiter{key, make(chan struct{})}
	g.waiting = append(g.waiting, w)
	return w, nil
}

func (g *Gate) room(key string) bool {
	return g.total < g.cfg.Places && g.inside[key] < g.cfg.Share
}

func (g *Gate) take(key string) {
	g.total++
	g.inside[key]++
}

func (g *Gate) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.inside[key]--; g.inside[key] == 0 {
		delete(g.inside, key)
	}
	for i, w := range g.waiting {
		if g.room(w.key) {
			g.waiting = slices.Delete(g.waiting, i, i+1)
			g.take(w.key)
			close(w.in)
			return
		}
	}
}

// abandon removes w from the queue; false: it is not there any more.
func (g *Gate) abandon(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, w)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// Count is how much of one key is at a gate.
type Count struct{ Inside, Waiting int }

// Counts returns those of all keys that have something there.
func (g *Gate) Counts() map[string]Count {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[string]Count, len(g.inside))
	for key, n := range g.inside {
		all[key] = Count{Inside: n}
	}
	for _, w := range g.waiting {
		c := all[w.key]
		c.Waiting++
		all[w.key] = c
	}
	return all
}

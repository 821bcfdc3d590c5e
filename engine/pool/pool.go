package pool

import (
	"context"
	"sync"
	"time"
)

const (
	least = 1               // ready while there are calls
	look  = 5 * time.Second // how often the pool looks what was not needed
	// forget is how long without a call nothing is kept ready.
	forget = 2 * time.Minute
)

// Config of a pool.
type Config[T any] struct {
	// Make makes an instance; Close frees one, used or not.
	Make  func(context.Context) (T, error)
	Close func(T)
	Most  int // that are ready
	// AtOnce is how many are made at once to be kept ready.
	AtOnce int
}

// Pool is safe for use by several goroutines.
type Pool[T any] struct {
	cfg    Config[T]
	ctx    context.Context //nolint:containedctx // the life of the pool, for what it makes by itself
	stop   context.CancelFunc
	makers sync.WaitGroup

	mu     sync.Mutex
	ready  []T
	making int
	want   int // that should be ready
	spare  int // the fewest that were, since the pool last looked
	timer  *time.Timer
	called time.Time
}

// New returns an empty pool. Nothing is made before the first lease.
func New[T any](c Config[T]) *Pool[T] {
	p := &Pool[T]{cfg: c, want: min(least, c.Most)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// Lease returns an instance that nobody has used, one that is ready if there is, and has
// others made. The caller gives it back by done, once. Errors are those of Make.
func (p *Pool[T]) Lease(ctx context.Context) (t T, done func(), err error) {
	t, ok := p.take()
	if !ok {
		if t, err = p.cfg.Make(ctx); err != nil {
			return t, nil, err
		}
	}
	return t, func() { p.cfg.Close(t) }, nil
}

// take takes a ready one. Without any there should have been more: the pool grows by
// half, and one.
func (p *Pool[T]) take() (t T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return t, false
	}
	if p.called = time.Now(); p.timer == nil {
		p.spare = p.want
		p.timer = time.AfterFunc(look, p.look)
	}
	if n := len(p.ready); n > 0 {
		t, ok = p.ready[n-1], true
		clear(p.ready[n-1:])
		p.ready = p.ready[:n-1]
	} else if p.making > 0 {
		p.want = min(p.cfg.Most, p.want+p.want/2+1)
	}
	p.spare = min(p.spare, len(p.ready))
	p.fill()
	return t, ok
}

// fill has instances made until there are as many as there should be. mu is held.
func (p *Pool[T]) fill() {
	for p.making < p.cfg.AtOnce && len(p.ready)+p.making < p.want {
		p.making++
		p.makers.Go(p.make)
	}
}

// make makes one after the other. The first that cannot be made ends it: the next lease
// tells why.
func (p *Pool[T]) make() {
	for {
		t, err := p.cfg.Make(p.ctx)
		p.mu.Lock()
		keep := err == nil && p.ctx.Err() == nil && len(p.ready) < p.want
		if keep {
			p.ready = append(p.ready, t)
		}
		if !keep || len(p.ready)+p.making > p.want {
			p.making--
			p.mu.Unlock()
			if err == nil && !keep {
				p.cfg.Close(t)
			}
			return
		}
		p.mu.Unlock()
	}
}

// look frees what was not needed since the last time, and all when there were no calls
// for long.
func (p *Pool[T]) look() {
	p.mu.Lock()
	idle := time.Since(p.called) >= forget
	drop := min(p.spare, len(p.ready)-least)
	if idle {
		drop = len(p.ready)
	}
	var unneeded []T
	if drop > 0 {
		keep := len(p.ready) - drop
		unneeded = append(unneeded, p.ready[keep:]...)
		clear(p.ready[keep:])
		p.ready = p.ready[:keep]
		p.want = min(max(p.want-drop, least), p.cfg.Most)
	}
	p.spare = len(p.ready)
	switch {
	case p.ctx.Err() != nil:
	case idle:
		p.timer = nil
	default:
		p.timer.Reset(look)
	}
	p.mu.Unlock()
	for _, t := range unneeded {
		p.cfg.Close(t)
	}
}

// Size is how many are ready, and how many should be.
func (p *Pool[T]) Size() (ready, want int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready), p.want
}

// Close frees what is ready, and returns when nothing is made any more. Leases go on, and
// ones to come are made when they are asked for.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	p.stop()
	if p.timer != nil {
		p.timer.Stop()
	}
	ready := p.ready
	p.ready = nil
	p.mu.Unlock()
	p.makers.Wait()
	for _, t := range ready {
		p.cfg.Close(t)
	}
}

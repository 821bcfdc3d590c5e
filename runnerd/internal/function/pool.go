package function

import (
	"context"
	"sync"
	"time"

	"github.com/realm-mesh/realm/engine"
)

const (
	poolSize  = 4               // unused instances ready, while a function is in use
	poolMakes = 2               // of them made at once
	poolIdle  = 2 * time.Minute // without a call, after which none are kept
)

// pool holds instances that nobody has used yet.
type pool struct {
	build func(context.Context) (*guest, error)

	mu     sync.Mutex
	ready  []*guest
	making int
	idle   *time.Timer     // empties the pool
	ctx    context.Context //nolint:containedctx // the life of the pool, for what it makes by itself
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

func newPool(build func(context.Context) (*guest, error)) *pool {
	p := &pool{build: build}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// get returns an unused instance, a ready one if there is, and has others made.
func (p *pool) get(ctx context.Context) (*guest, error) {
	if g := p.take(); g != nil {
		return g, nil
	}
	return p.build(ctx)
}

func (p *pool) take() *guest {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil
	}
	if p.idle == nil {
		p.idle = time.AfterFunc(poolIdle, p.empty)
	} else {
		p.idle.Reset(poolIdle)
	}
	var g *guest
	if n := len(p.ready); n > 0 {
		g, p.ready = p.ready[n-1], p.ready[:n-1]
	}
	if p.making < poolMakes && len(p.ready)+p.making < poolSize {
		p.making++
		p.wg.Go(p.fill)
	}
	return g
}

// fill makes instances until there are enough. The first that cannot be made ends
// it: the next call tells why.
func (p *pool) fill() {
	for {
		g, err := p.build(p.ctx)
		p.mu.Lock()
		stopped := p.ctx.Err() != nil
		if err == nil && !stopped {
			p.ready = append(p.ready, g)
		}
		if err != nil || stopped || len(p.ready)+p.making > poolSize {
			p.making--
			p.mu.Unlock()
			if err == nil && stopped {
				g.close()
			}
			return
		}
		p.mu.Unlock()
	}
}

// empty frees all that is ready.
func (p *pool) empty() {
	p.mu.Lock()
	ready := p.ready
	p.ready = nil
	p.mu.Unlock()
	for _, g := range ready {
		g.close()
	}
}

// close frees everything and returns when nothing is made any more.
func (p *pool) close() {
	p.mu.Lock()
	p.stop()
	if p.idle != nil {
		p.idle.Stop()
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.empty()
}

// guest is an instance with the streams that it writes to.
type guest struct {
	*engine.Instance
	flush func()
}

func (g *guest) close() {
	g.Close()
	g.flush()
}

package execute

import (
	"context"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
)

const (
	warmFor  = 20 * time.Second // a module stays loaded after it was last asked for
	warmMost = 8                // modules at a time
)

// warm keeps modules loaded for a while: many jobs that follow each other run the same.
type warm struct {
	loader Loader

	mu   sync.Mutex
	held map[warmKey]*warmModule
}

// warmKey is what modules are loaded by.
type warmKey struct {
	blob   api.Digest
	memory int
}

type warmModule struct {
	module *engine.Module
	used   time.Time
	end    *time.Timer
}

func newWarm(l Loader) *warm { return &warm{loader: l, held: map[warmKey]*warmModule{}} }

// load is [Loader.Load]. The caller releases the module.
func (w *warm) load(ctx context.Context, p api.Program) (*engine.Module, error) {
	m, err := w.loader.Load(ctx, p, func(api.State) {})
	if err == nil {
		w.keep(warmKey{p.Blob, p.Limits.MemoryMaxMB}, m)
	}
	return m, err
}

// keep holds m for a while from now.
func (w *warm) keep(k warmKey, m *engine.Module) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.held[k]; h != nil && h.module == m && h.end.Reset(warmFor) {
		h.used = time.Now()
		return
	}
	w.drop(k)
	m.Retain()
	h := &warmModule{module: m, used: time.Now()}
	h.end = time.AfterFunc(warmFor, func() { w.cool(k, h) })
	w.held[k] = h
	if len(w.held) > warmMost {
		w.drop(w.oldest())
	}
}

// cool lets go of h, whose time is over.
func (w *warm) cool(k warmKey, h *warmModule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[k] == h {
		w.drop(k)
	}
}

// drop lets go of what is held under k; w.mu is held.
func (w *warm) drop(k warmKey) {
	if h := w.held[k]; h != nil {
		h.end.Stop()
		h.module.Release()
		delete(w.held, k)
	}
}

func (w *warm) oldest() (k warmKey) {
	first := true
	for key, h := range w.held {
		if first || h.used.Before(w.held[k].used) {
			k, first = key, false
		}
	}
	return k
}

package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// Fetcher gets the bytes of a blob, from this node or a peer. It checks them
// against their digest and reads at most limit bytes.
type Fetcher interface {
	Fetch(ctx context.Context, blob api.Digest, limit int64) ([]byte, error)
}

// Compiler puts the machine code of a module into the cache, in a process of its own.
type Compiler interface {
	Ensure(ctx context.Context, wasm []byte) error
}

// Loader makes programs ready. It is safe for use by several goroutines.
type Loader struct {
	fetcher  Fetcher
	compiler Compiler
	engine   *sandbox.Engine
	flights  flights
}

// NewLoader returns a loader into engine.
func NewLoader(f Fetcher, c Compiler, engine *sandbox.Engine) *Loader {
	return &Loader{fetcher: f, compiler: c, engine: engine, flights: newFlights()}
}

// Load makes p ready to run. It tells stage where it stands: [api.StateFetching],
// then [api.StateCompiling]. The caller must release the module. What many ask for at
// once is made ready once, and its error is that of all.
func (l *Loader) Load(ctx context.Context, p api.Program, stage func(api.State)) (*sandbox.Module, error) {
	limit := memoryMB(p.Limits)
	for first := true; ; first = false {
		if m, ok := l.engine.Lookup(p.Blob, limit); ok {
			return m, nil
		}
		if first {
			stage(api.StateFetching)
		}
		var m *sandbox.Module
		mine, err := l.flights.do(ctx, flightKey{p.Blob, p.Size, limit}, func() (err error) {
			m, err = l.load(ctx, p, limit, stage)
			return err
		})
		if err != nil || mine {
			return m, err
		}
	}
}

func (l *Loader) load(ctx context.Context, p api.Program, limit int, stage func(api.State)) (*sandbox.Module, error) {
	wasm, err := l.fetcher.Fetch(ctx, p.Blob, p.Size)
	if errors.Is(err, api.ErrTooLarge) || err == nil && int64(len(wasm)) != p.Size {
		return nil, Refuse("it is not of the %d bytes that the intent says: push it again", p.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch program %s: %w", p.Blob.Short(), err)
	}
	stage(api.StateCompiling)
	checked, err := check(wasm, limit)
	if err != nil {
		return nil, err
	}
	wasm = checked.Compact(wasm)
	if err := l.compiler.Ensure(ctx, wasm); err != nil {
		return nil, err
	}
	return l.engine.Load(ctx, p.Blob, checked.Shape, wasm, limit)
}

package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
)

// Fetcher gets the bytes of a blob.
type Fetcher interface {
	// Bring has this node have the blob, of at most limit bytes, from a peer if need be.
	Bring(ctx context.Context, blob api.Digest, limit int64) error
	// Read reads what was brought, and checks it against its digest.
	Read(ctx context.Context, blob api.Digest, limit int64) ([]byte, error)
}

// Compiler puts the machine code of a module into the cache, in a process of its own.
type Compiler interface {
	Ensure(ctx context.Context, wasm []byte) error
}

// Loader makes programs ready. It is safe for use by several goroutines.
type Loader struct {
	fetcher  Fetcher
	compiler Compiler
	engine   *engine.Engine
	flights  flights
	memory   budget
}

// NewLoader returns a loader into engine.
func NewLoader(f Fetcher, c Compiler, engine *engine.Engine) *Loader {
	return &Loader{fetcher: f, compiler: c, engine: engine, flights: newFlights(), memory: newBudget(maxBytes)}
}

// Load makes p ready to run. It tells stage where it stands: [api.StateFetching],
// then [api.StateCompiling]. The caller must release the module. What many ask for at
// once is made ready once, and its error is that of all.
func (l *Loader) Load(ctx context.Context, p api.Program, stage func(api.State)) (*engine.Module, error) {
	limit := memoryMB(p.Limits)
	for first := true; ; first = false {
		if m, ok := l.engine.Lookup(engine.Digest(p.Blob), limit); ok {
			return m, nil
		}
		if first {
			stage(api.StateFetching)
		}
		var m *engine.Module
		mine, err := l.flights.do(ctx, flightKey{p.Blob, p.Size, limit}, func() (err error) {
			m, err = l.load(ctx, p, limit, stage)
			return err
		})
		if err != nil || mine {
			return m, err
		}
	}
}

func (l *Loader) load(ctx context.Context, p api.Program, limit int, stage func(api.State)) (*engine.Module, error) {
	if err := l.fetcher.Bring(ctx, p.Blob, p.Size); err != nil {
		return nil, notFetched(p, err)
	}
	done, err := l.memory.take(ctx, p.Size)
	if err != nil {
		return nil, err
	}
	defer done()
	wasm, err := l.fetcher.Read(ctx, p.Blob, p.Size)
	if err == nil && int64(len(wasm)) != p.Size {
		err = errSize
	}
	if err != nil {
		return nil, notFetched(p, err)
	}
	stage(api.StateCompiling)
	m, shape, err := check(wasm, limit)
	if err != nil {
		return nil, err
	}
	wasm = m.Instrument()
	for again := range 2 {
		if err := l.compiler.Ensure(ctx, wasm); err != nil {
			return nil, err
		}
		var loaded *engine.Module
		loaded, err = l.engine.Load(ctx, engine.Digest(p.Blob), shape, wasm, limit)
		// What was in the cache may be damaged, or have gone for want of room.
		if again > 0 || !errors.Is(err, engine.ErrNotCompiled) {
			return loaded, err
		}
	}
	return nil, err
}

// errSize says that a program is not as large as its intent says.
var errSize = errors.New("it is of another size")

func notFetched(p api.Program, err error) error {
	if errors.Is(err, api.ErrTooLarge) || errors.Is(err, errSize) {
		return Refuse("it is not of the %d bytes that the intent says: push it again", p.Size)
	}
	return fmt.Errorf("fetch program %s: %w", p.Blob.Short(), err)
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
)

// features are the extensions of WebAssembly that guests may use.
const features = wapi.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst

// compileWorkers bounds the threads of a compilation; each takes memory.
const compileWorkers = 4

// runtimeConfig is the same for compiling and loading: code in the cache is found
// only under the settings that it was compiled with. Memory is limited by the space of each
// instance.
func runtimeConfig(cache wazero.CompilationCache) wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithDebugInfoEnabled(false).
		WithCompilationCache(cache)
}

// Compile puts the machine code of a program, as [Program.Instrument] gives it, into the
// cache, in this process. It can use any amount of memory, run for minutes and end the
// process: see [Compiler]. Where the program is to blame it returns [ErrRefused].
func Compile(ctx context.Context, c Cache, wasm []byte) (err error) {
	parts, err := unpack(wasm)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.folder(Sum(wasm)))
	if err != nil {
		return fmt.Errorf("open compile cache: %w", err)
	}
	defer func() { err = errors.Join(err, cache.Close(ctx)) }()
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(cache))
	defer func() { err = errors.Join(err, r.Close(ctx)) }()
	ctx = experimental.WithCompilationWorkers(ctx, min(runtime.NumCPU(), compileWorkers))
	for _, p := range parts {
		if _, err = r.CompileModule(ctx, p.code); err != nil {
			if !isOfFiles(err) {
				err = fmt.Errorf("%w: %w", ErrRefused, err)
			}
			return err
		}
	}
	return c.seal(Sum(wasm))
}

// size is how many bytes the memory and the tables of an instance may have together.
func (k key) size() int64 { return int64(k.pages) * meter.PageSize }

// pagesPerMB is how many pages of linear memory make one MiB.
const pagesPerMB = 16

// Engine holds the modules that are loaded. It is safe for use by several goroutines.
type Engine struct {
	cache Cache
	turns *turns

	mu     sync.Mutex
	loaded map[key]*Module
}

// key tells modules apart.
type key struct {
	blob  Digest
	pages uint32
}

// New returns an engine that loads from a cache. It has as many guests run at once as Go
// has chosen to use processors (GOMAXPROCS).
func New(c Cache) *Engine {
	return &Engine{cache: c, turns: newTurns(runtime.GOMAXPROCS(0)), loaded: map[key]*Module{}}
}

// MakeRoom raises GOMAXPROCS, so that this process gets on however busy its guests are, and
// gives the garbage collector 16 MiB before it begins. Call it once, when nothing runs yet: it
// stops the process for a moment. undo must be called in the end.
func (e *Engine) MakeRoom() (undo func()) { return e.turns.makeRoom() }

// Lookup returns the module made of a blob, under a memory limit in MiB, if it is
// loaded. The caller must release it.
func (e *Engine) Lookup(blob Digest, memoryMB int) (*Module, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.loaded[key{blob, uint32(memoryMB) * pagesPerMB}]
	if ok {
		m.users++
	}
	return m, ok
}

// Load returns the module made of a blob, under a memory limit in MiB. wasm are
// the very bytes that were compiled, and shape is that of the blob; if they are not in
// the cache it is [ErrNotCompiled]. The caller must release the module.
func (e *Engine) Load(ctx context.Context, blob Digest, shape Shape, wasm []byte, memoryMB int) (*Module, error) {
	if m, ok := e.Lookup(blob, memoryMB); ok {
		return m, nil
	}
	k := key{blob, uint32(memoryMB) * pagesPerMB}
	if shape.Size() > k.size() {
		return nil, &RefusedError{fmt.Sprintf("it begins with %d MiB of memory and tables, and is allowed %d", (shape.Size()+1<<20-1)>>20, memoryMB)}
	}
	m, err := load(ctx, e.cache, k, shape, wasm)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", blob.Short(), err)
	}
	m.engine = e
	e.mu.Lock()
	defer e.mu.Unlock()
	if other, ok := e.loaded[k]; ok { // loaded meanwhile
		other.users++
		_ = m.close() // frees memory alone
		return other, nil
	}
	e.loaded[k] = m
	return m, nil
}

func load(ctx context.Context, c Cache, k key, shape Shape, wasm []byte) (_ *Module, err error) {
	defer recovered(&err)
	digest := Sum(wasm)
	if err := c.check(digest); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.folder(digest))
	if err != nil {
		return nil, err
	}
	r := wazero.NewRuntimeWithConfig(ctx, runtimeConfig(cache))
	m := &Module{Shape: shape, key: k, runtime: r, cache: cache, config: baseConfig(), users: 1}
	ready := false
	defer func() {
		if !ready { // also where wazero has panicked
			err = errors.Join(err, m.close())
		}
	}()
	if err = meter.Define(ctx, r); err == nil {
		err = m.link(ctx, wasm)
	}
	switch {
	case err != nil && isOfFiles(err):
		return nil, err
	case err != nil:
		// Perhaps the code is of another processor: it is to be made again.
		return nil, errors.Join(err, c.Remove(digest))
	}
	c.touch(digest)
	ready = true
	return m, nil
}

// link gets the code of a unit, and defines what it imports.
func (m *Module) link(ctx context.Context, wasm []byte) error {
	parts, err := unpack(wasm)
	if err != nil {
		return err
	}
	for _, p := range parts {
		compiled, err := m.runtime.CompileModule(ctx, p.code)
		if err != nil {
			return err
		}
		m.images = append(m.images, newImage(p.image))
		if err := check(compiled); err != nil {
			return err
		}
		m.compiled = append(m.compiled, compiled)
	}
	if m.Component == nil {
		return defineWASI(ctx, m.runtime)
	}
	m.linked, err = m.Component.Link(ctx, m.runtime, m.compiled)
	return err
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &Trap{fmt.Sprintf("trap: panic in the engine: %.200v", p)}
	}
}

// Module is a program that is loaded.
type Module struct {
	Shape
	key
	engine   *Engine
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled []wazero.CompiledModule // of a core module, one
	images   []*image                // of their memories; nil: they begin empty
	linked   *component.Linked       // of a component
	config   wazero.ModuleConfig     // what all instances have of it
	workers  workers
	users    int          // under engine.mu
	runaways atomic.Int32 // instances that did not stop when told to
}

// Retain counts one more user of m, who must release it; the caller is one.
func (m *Module) Retain() {
	m.engine.mu.Lock()
	defer m.engine.mu.Unlock()
	m.users++
}

// Release counts one user less. Without any the module is unloaded.
func (m *Module) Release() {
	m.engine.mu.Lock()
	m.users--
	last := m.users == 0
	if last {
		delete(m.engine.loaded, m.key)
	}
	m.engine.mu.Unlock()
	if last {
		_ = m.close() // frees memory of this process alone: there is nothing to mend
	}
}

// close frees the module. It must not be cut short, hence it takes no context.
//
//nolint:contextcheck,nolintlint // as it says; it speaks for the callers
func (m *Module) close() error {
	m.workers.close()
	for _, i := range m.images {
		i.close()
	}
	return errors.Join(m.runtime.Close(context.Background()), m.cache.Close(context.Background()))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/realm-mesh/realm/engine"
)

// host runs components as a node does, but for compiling in a process of its own.
type host struct {
	cache engine.Cache
	dir   string
}

// Limits of a case. Fuel is what ends those that do not end: none has a time.
const (
	caseMemory = 16 // MiB
	caseFuel   = 50_000_000
)

func newHost() (*host, error) {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return nil, fmt.Errorf("make folder of compiled modules: %w", err)
	}
	return &host{engine.NewCache(dir), dir}, nil
}

func (h *host) close() { _ = os.RemoveAll(h.dir) }

// load makes a component ready; whoever uses it releases it.
func (h *host) load(ctx context.Context, wasm []byte) (*engine.Module, error) {
	p, err := engine.Parse(wasm)
	if err != nil {
		return nil, err
	}
	if missing := p.Shape().Component.Missing(); len(missing) > 0 {
		return nil, &missingError{missing}
	}
	metered := p.Instrument()
	if !h.cache.Has(engine.Sum(metered)) {
		if err := engine.Compile(ctx, h.cache, metered); err != nil {
			return nil, fmt.Errorf("compile: %w", err)
		}
	}
	m, err := engine.New(h.cache).Load(ctx, engine.Sum(metered), p.Shape(), metered, caseMemory)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return m, nil
}

// missingError says what a component needs that there is not.
type missingError struct{ what []string }

func (e *missingError) Error() string { return strings.Join(e.what, ", ") }

// run runs a command.
func (h *host) run(ctx context.Context, wasm []byte, env engine.Env) error {
	m, err := h.load(ctx, wasm)
	if err != nil {
		return &refusal{err}
	}
	defer m.Release()
	env.Fuel = caseFuel
	return m.Run(ctx, env)
}

// refusal is why a component does not even begin.
type refusal struct{ why error }

func (e *refusal) Error() string { return "refused: " + e.why.Error() }
func (e *refusal) Unwrap() error { return e.why }

// verdict holds what came of a case against what must:
//
//	returns           wasi:cli/run returns that all went well
//	traps: REASON     it traps, and the reason has this in it
//	stops: REASON     a limit ends it
//	refused: REASON   it is refused when it is read
//	missing: NAMES    it is refused for what there is not
func verdict(must string, err error) error {
	how, why, _ := strings.Cut(must, ": ")
	var ok bool
	switch how {
	case "returns":
		ok = err == nil
	case "traps":
		ok = errors.As(err, new(*engine.Trap))
	case "stops":
		ok = errors.As(err, new(*engine.FuelError)) || errors.As(err, new(*engine.MemoryError)) || errors.As(err, new(*engine.StackError))
	case "refused":
		ok = errors.As(err, new(*refusal)) && !errors.As(err, new(*missingError))
	case "missing":
		ok = errors.As(err, new(*missingError))
	}
	if ok && (err == nil || strings.Contains(err.Error(), why)) {
		return nil
	}
	return fmt.Errorf("it ends with %v, and must be: %s", err, must) //nolint:errorlint // err may be nil
}

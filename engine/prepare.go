package engine

import "context"

// Prepare makes a module ready to run under a memory limit in MiB: it is parsed, compiled
// by c unless its code is in the cache, and loaded. The caller must release it. Errors are
// those of [Parse], [Compiler.Ensure] and [Engine.Load].
func (e *Engine) Prepare(ctx context.Context, c *Compiler, wasm []byte, memoryMB int) (*Module, error) {
	digest := Sum(wasm)
	if m, ok := e.Lookup(digest, memoryMB); ok {
		return m, nil
	}
	parsed, err := Parse(wasm)
	if err != nil {
		return nil, err
	}
	metered := parsed.Instrument()
	if err := c.Ensure(ctx, metered); err != nil {
		return nil, err
	}
	return e.Load(ctx, digest, parsed.Shape(), metered, memoryMB)
}

package engine

import (
	"errors"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/engine/meter"
)

// maxElements is how many elements the tables and the element segments of a module may
// have together. Compilers emit one of each for a function. wazero looks at all segments
// whenever an instance is made, 0.2 µs each, and nothing can end that before.
const maxElements = 200_000

// Bounds of what takes the host's memory whenever an instance is made, beside its own:
// 16 to 80 bytes each.
const (
	maxImports = 10_000
	maxExports = 50_000
	maxGlobals = 10_000
)

// caps are those of each core module.
func caps() meter.Caps {
	c := meter.DefaultCaps()
	c.Elements, c.Imports, c.Exports, c.Globals = maxElements, maxImports, maxExports, maxGlobals
	return c
}

// errNotMetered is a mistake of the caller's: such a module could run for ever.
var errNotMetered = errors.New("the module has no meters")

// check returns an error unless m has meters.
func check(m wazero.CompiledModule) error {
	for _, f := range m.ImportedFunctions() {
		if from, _, _ := f.Import(); from == meter.ImportModule {
			return nil
		}
	}
	return errNotMetered
}

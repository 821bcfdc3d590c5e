package engine

import (
	"errors"
	"fmt"

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

// Parse decodes and validates a module, before anything else sees it. It takes time and
// memory in proportion to its length, whoever made it. Its Instrument gives what [Compile]
// and [Engine.Load] take. Errors are those of [meter.Parse].
func Parse(wasm []byte) (*meter.Module, error) {
	caps := meter.DefaultCaps()
	caps.Elements, caps.Imports, caps.Exports, caps.Globals = maxElements, maxImports, maxExports, maxGlobals
	m, err := meter.Parse(wasm, meter.Options{Features: meter.Features{ExtendedConst: true}, Caps: &caps})
	if err != nil {
		return nil, err
	}
	// The host could not tell which instance calls a function of its own that it exports.
	if name, is := m.Passes(); is {
		return nil, fmt.Errorf("export %q is a function that the module imports: have one of its own call it", name)
	}
	return m, nil
}

// errNotMetered is a mistake of the caller's: such a module could run for ever.
var errNotMetered = errors.New("the module has no meters")

// check returns an error unless m has meters.
func (m *Module) check() error {
	for _, f := range m.compiled.ImportedFunctions() {
		if from, _, _ := f.Import(); from == meter.ImportModule {
			return nil
		}
	}
	return errNotMetered
}

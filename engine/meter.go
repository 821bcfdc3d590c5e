package engine

import (
	"errors"

	"github.com/realm-mesh/realm/engine/meter"
)

// maxElements is how many elements the tables and the element segments of a module may
// have together. Compilers emit one of each for a function. wazero looks at all segments
// whenever an instance is made, 0.2 µs each, and nothing can end that before.
const maxElements = 200_000

// Parse decodes and validates a module, before anything else sees it. It takes time and
// memory in proportion to its length, whoever made it. Its Instrument gives what [Compile]
// and [Engine.Load] take. Errors are those of [meter.Parse].
func Parse(wasm []byte) (*meter.Module, error) {
	caps := meter.DefaultCaps()
	caps.Elements = maxElements
	return meter.Parse(wasm, meter.Options{Features: meter.Features{ExtendedConst: true}, Caps: &caps})
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

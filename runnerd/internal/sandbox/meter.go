package sandbox

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/meter"
)

// Meter returns a module with meters, which is what [Compile] and [Engine.Load] take. It
// takes time and memory in proportion to the length of the module, whoever made it.
// Errors: [ErrRefused].
func Meter(wasm []byte) ([]byte, error) {
	metered, err := meter.Instrument(wasm, meter.Options{Features: meter.Features{ExtendedConst: true}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return metered, nil
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

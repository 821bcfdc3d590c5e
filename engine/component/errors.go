package component

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/internal/elab"
)

// Error says why bytes are no component that can run: where, and what is missing, if it
// needs what came after WASI 0.2.
type Error = binary.Error

// ErrTooComplex says that a component is nested or repeated beyond reason.
var ErrTooComplex = elab.ErrTooComplex

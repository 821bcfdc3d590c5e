package meter

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// Names of what is added to a module.
const (
	// ImportModule and the names after it are those of the host functions that an
	// instrumented module needs; see [Define].
	ImportModule = "\x00meter"
	importRefill = "refill"
	// exportFuel and exportStack are the globals that hold what is left of the slice, and
	// of the stack.
	exportFuel  = "\x00fuel"
	exportStack = "\x00stack"
)

// BytesPerFuel is how many bytes a memory.fill, memory.copy or memory.init moves for one
// unit of fuel. Elements of tables cost a unit each, new pages of memory 256.
const BytesPerFuel = 1 << bytesShift

const (
	bytesShift = 5
	pageShift  = 8 // 64 KiB cost as much as 8 KiB that are moved
)

// Caps bound what a module may have; see [DefaultCaps].
type Caps = wasm.Caps

// DefaultCaps are far above what compilers emit.
func DefaultCaps() Caps { return wasm.DefaultCaps() }

// Features are proposals that a module may use beyond release 2.0 of the specification.
type Features = wasm.Features

// Error says where a module is not valid, or more than it may be, and why.
type Error = wasm.Error

// ErrReserved marks a module that imports or exports by a name of this package's.
var ErrReserved = errors.New("a name is reserved")

// Options of [Instrument]. The zero value has the defaults.
type Options struct {
	Features Features
	Caps     *Caps // nil: DefaultCaps
	// Stack is how many bytes frames of calls may take, about as wazero's compiler lays
	// them out; 0: 1 MiB, negative: no limit.
	Stack int64
	// Linked says that functions which the module imports may be those of other modules: then
	// the frames of those that call them count.
	Linked bool
	// Rename gives the names that an import is to have instead; nil: its own. The module that
	// [ImportModule] names is not among them.
	Rename func(i int) (module, name string)
	// Image asks for an image of the memory: see [Module.Image].
	Image bool
}

const defaultStack = 1 << 20

func (o Options) stack() int64 {
	if o.Stack == 0 {
		return defaultStack
	}
	return o.Stack
}

// Instrument returns module with meters. Errors are those of [Parse].
func Instrument(module []byte, o Options) ([]byte, error) {
	m, err := Parse(module, o)
	if err != nil {
		return nil, err
	}
	return m.Instrument(), nil
}

func reserved(m *wasm.Module) error {
	for _, i := range m.Imports {
		if i.Module == ImportModule {
			return fmt.Errorf("import of %q: %w", i.Module, ErrReserved)
		}
	}
	for _, e := range m.Exports {
		if e.Name == exportFuel || e.Name == exportStack {
			return fmt.Errorf("export %q: %w", e.Name, ErrReserved)
		}
	}
	return nil
}

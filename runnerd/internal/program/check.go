package program

import (
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/meter"
)

// RefusedError says that a program cannot run here as it is.
type RefusedError = engine.RefusedError

// Refuse returns a [*RefusedError].
func Refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// check parses a module and refuses what no sandbox of this version can run.
func check(wasm []byte, memoryMB int) (*meter.Module, meter.Shape, error) {
	m, err := engine.Parse(wasm)
	switch {
	case errors.Is(err, meter.ErrNotWasm):
		return nil, meter.Shape{}, Refuse("this is not a WebAssembly file")
	case errors.Is(err, meter.ErrComponent):
		return nil, meter.Shape{}, Refuse("this is a WebAssembly component (WASI 0.2); this version runs core modules: build it for wasm32-wasip1")
	case err != nil:
		return nil, meter.Shape{}, Refuse("this is not a valid WebAssembly module: %v", err)
	}
	s := m.Shape()
	if err := checkImports(s.Imports); err != nil {
		return nil, s, err
	}
	return m, s, checkSize(&s, memoryMB)
}

// checkSize refuses what does not fit from the begin.
func checkSize(s *meter.Shape, memoryMB int) error {
	if s.Size() <= int64(memoryMB)<<20 {
		return nil
	}
	what := "memory"
	if s.TableSize() > 0 {
		what = "memory and tables"
	}
	return Refuse("it needs %d MiB of %s to begin with and is allowed %d: give it a larger --memory-max-mb",
		(s.Size()+1<<20-1)>>20, what, memoryMB)
}

func checkImports(imports []meter.Import) error {
	for _, i := range imports {
		if i.Module == engine.WASI && i.Kind == meter.KindFunction {
			continue
		}
		hint := "build it for wasm32-wasip1 (Go: GOOS=wasip1), and without a JavaScript or other host of its own"
		if i.Module == "gojs" || i.Module == "go" {
			hint = "build it with GOOS=wasip1 instead of GOOS=js"
		}
		return Refuse("it imports the %s %.40q of %.40q, and programs may import functions of %s alone: %s",
			i.Kind, i.Name, i.Module, engine.WASI, hint)
	}
	return nil
}

// CheckCommand refuses a module that is no WASI command.
func CheckCommand(s meter.Shape) error {
	sig, ok := s.Functions[engine.EntryCommand]
	switch {
	case ok && len(sig.Params)+len(sig.Results) == 0:
		return nil
	case ok:
		return Refuse("its %s is of type %s, and takes and returns nothing in a WASI command", engine.EntryCommand, sig)
	case len(s.Names) == 0:
		return Refuse("it exports no functions: build it as a WASI command, which exports %s", engine.EntryCommand)
	default:
		return Refuse("it exports no %s, so it is no WASI command: build it without -buildmode=c-shared or --no-entry, or deploy it as a function", engine.EntryCommand)
	}
}

// memoryMB is the memory limit of a program, in MiB.
func memoryMB(l api.Limits) int {
	if l.MemoryMaxMB == 0 {
		return api.DefaultMemoryMB
	}
	return l.MemoryMaxMB
}

// Deadline is how long one call, request or run of a program may take, where it
// has not the right to run without end.
func Deadline(l api.Limits) time.Duration {
	if l.EpochMS == 0 {
		return api.DefaultDeadline
	}
	return time.Duration(l.EpochMS) * time.Millisecond
}

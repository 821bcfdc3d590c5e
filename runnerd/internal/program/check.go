package program

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/compile"
	"github.com/realm-mesh/realm/runnerd/internal/module"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// RefusedError says that a program cannot run here as it is.
type RefusedError = compile.RefusedError

// Refuse returns a [*RefusedError].
func Refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// check parses a module and refuses what no sandbox of this version can run.
func check(wasm []byte, memoryMB int) (*module.Module, error) {
	m, err := module.Parse(wasm)
	if err != nil {
		return nil, &RefusedError{Reason: err.Error()}
	}
	if err := checkImports(m.Imports); err != nil {
		return nil, err
	}
	if need := int(m.MinPages); need > memoryMB<<20/module.PageSize {
		return nil, Refuse("it needs %d MiB of memory to begin with and is allowed %d: give it a larger --memory-max-mb",
			(need*module.PageSize+1<<20-1)>>20, memoryMB)
	}
	return m, nil
}

func checkImports(imports []module.Import) error {
	for _, i := range imports {
		if i.Module == sandbox.WASI && i.Kind == module.KindFunction {
			continue
		}
		hint := "build it for wasm32-wasip1 (Go: GOOS=wasip1), and without a JavaScript or other host of its own"
		if i.Module == "gojs" || i.Module == "go" {
			hint = "build it with GOOS=wasip1 instead of GOOS=js"
		}
		return Refuse("it imports the %s %.40q of %.40q, and programs may import functions of %s alone: %s",
			i.Kind, i.Name, i.Module, sandbox.WASI, hint)
	}
	return nil
}

// CheckCommand refuses a module that is no WASI command.
func CheckCommand(s module.Shape) error {
	sig, ok := s.Functions[sandbox.EntryCommand]
	switch {
	case ok && len(sig.Params)+len(sig.Results) == 0:
		return nil
	case ok:
		return Refuse("its %s is of type %s, and takes and returns nothing in a WASI command", sandbox.EntryCommand, sig)
	case len(s.Names) == 0:
		return Refuse("it exports no functions: build it as a WASI command, which exports %s", sandbox.EntryCommand)
	default:
		return Refuse("it exports no %s, so it is no WASI command: build it without -buildmode=c-shared or --no-entry, or deploy it as a function", sandbox.EntryCommand)
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

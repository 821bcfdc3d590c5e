package program

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
)

// RefusedError says that a program cannot run here as it is.
type RefusedError = engine.RefusedError

// Refuse returns a [*RefusedError].
func Refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

// check parses a program and refuses what no sandbox of this version can run.
func check(wasm []byte, memoryMB int) (*engine.Program, engine.Shape, error) {
	p, err := engine.Parse(wasm)
	lacks := new(component.Error)
	switch {
	case errors.Is(err, meter.ErrNotWasm):
		return nil, engine.Shape{}, Refuse("this is not a WebAssembly file")
	case errors.As(err, &lacks) && len(lacks.Missing) > 0:
		return nil, engine.Shape{}, RefuseMissing(lacks.Missing)
	case err != nil && engine.IsComponent(wasm):
		return nil, engine.Shape{}, Refuse("this is not a component that can run: %v", err)
	case err != nil:
		return nil, engine.Shape{}, Refuse("this is not a valid WebAssembly module: %v", err)
	}
	s := p.Shape()
	if s.Component != nil {
		if missing := s.Component.Missing(); len(missing) > 0 {
			return nil, s, RefuseMissing(missing)
		}
	} else if err := checkImports(s.Imports); err != nil {
		return nil, s, err
	}
	return p, s, checkSize(&s, memoryMB)
}

// maxMissing is how many things are named that a component lacks.
const maxMissing = 10

// RefuseMissing says what a component needs that there is not.
func RefuseMissing(missing []string) error {
	text := strings.Join(missing[:min(len(missing), maxMissing)], "; ")
	if more := len(missing) - maxMissing; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return Refuse("this component needs what is not here: %s. Build it for WASI 0.2, and without a host of its own", text)
}

// checkSize refuses what does not fit from the begin.
func checkSize(s *engine.Shape, memoryMB int) error {
	if s.Size() <= int64(memoryMB)<<20 {
		return nil
	}
	what := "memory"
	if s.Component != nil || s.TableSize() > 0 {
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

// CheckHandler refuses a program that does not answer requests as wasi:http has it.
func CheckHandler(s engine.Shape) error {
	switch {
	case s.Component == nil:
		return Refuse("it is a core module, and no component: push it with --http cgi, if it speaks CGI")
	case !s.Component.IsHandler():
		return Refuse("the component exports no wasi:http/incoming-handler of WASI 0.2, so it answers no requests")
	}
	return nil
}

// CheckCommand refuses a core module that is no WASI command. Components may be without an
// entry: then nothing runs.
func CheckCommand(s engine.Shape) error {
	if s.Component != nil {
		return nil
	}
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

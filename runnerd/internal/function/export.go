package function

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/meter"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// plumbing are exports that toolchains add for a host that passes memory around.
var plumbing = []string{"malloc", "free", "calloc", "realloc", "cabi_realloc", "alloc", "dealloc", "allocate", "deallocate", "memory"}

// choose finds the export that a function's name means: the one named like it
// ('-' in the name may be '_' in the export), else the only one there is. Exports
// that begin with '_' and those for memory do not count as the only one. Where there
// is none it is "", and the program a command.
func choose(s engine.Shape, name api.Name) (string, error) {
	if s.Component != nil {
		return "", checkComponent(s)
	}
	for _, n := range []string{string(name), strings.ReplaceAll(string(name), "-", "_")} {
		if sig, ok := s.Functions[n]; ok {
			return n, checkSignature(n, sig)
		}
	}
	var found []string
	for _, n := range s.Names {
		if !strings.HasPrefix(n, "_") && !slices.Contains(plumbing, n) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 1:
		return found[0], checkSignature(found[0], s.Functions[found[0]])
	case 0:
		if _, ok := s.Functions[engine.EntryCommand]; ok {
			return "", program.CheckCommand(s)
		}
		return "", program.Refuse("it exports no function to call, and is no command: mark one with //go:wasmexport %s (Go), or #[no_mangle] pub extern \"C\" (Rust), or build a command, which reads text and writes text", name)
	}
	return "", program.Refuse("it exports no function %s, and several others (%s): deploy it under the name of one of them", name, list(found))
}

// checkComponent refuses components that are no commands.
func checkComponent(s engine.Shape) error {
	switch {
	case s.Component.IsCommand():
		return nil
	case s.Component.IsHandler():
		return program.Refuse("it is a component that answers HTTP, and functions are commands, or core modules: push it with realm push")
	}
	return program.Refuse("it is a component without wasi:cli/run of WASI 0.2, and functions are commands, or core modules: build it as a command")
}

func list(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%.60s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return fmt.Sprintf("%.200s", strings.Join(names, ", "))
}

// checkSignature refuses what numbers cannot express.
func checkSignature(name string, s meter.Signature) error {
	for _, t := range slices.Concat(s.Params, s.Results) {
		switch t {
		case meter.I32, meter.I64, meter.F32, meter.F64:
		default:
			return program.Refuse("its export %.60s%s has a %s, and functions take and return numbers alone", name, s, t)
		}
	}
	if len(s.Params) > api.MaxArgs {
		return program.Refuse("its export %.60s takes %d arguments: at most %d", name, len(s.Params), api.MaxArgs)
	}
	return nil
}

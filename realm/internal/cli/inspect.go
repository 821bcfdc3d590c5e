package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/realm/internal/wasmfile"
)

func newInspect(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a program is, and whether it can run",
		Long: `Read a WebAssembly file and say what it is: a core module or a component; a command,
a web program (wasi:http or CGI), a reactor or a library; its size and memory, and
what it imports and exports, of a component as WIT has it. Nothing of it is run, and
no node is asked.

If it needs what no node has, that is listed, and the exit code is 1.`,
		Example: `  realm inspect samples/build/hello-http.wasm
  realm inspect --json hello.wasm`,
		Args:              arguments("FILE"),
		ValidArgsFunction: completeWasm,
		RunE: a.bounded(func(_ context.Context, _ *cobra.Command, args []string) error {
			m, err := wasmfile.Read(args[0])
			if err != nil {
				return err
			}
			about, err := m.About()
			if err != nil {
				return fmt.Errorf("%s is %w", args[0], err)
			}
			v := newInspection(args[0], m, about)
			err = a.print(v, func() { a.printInspection(v, about) })
			if n := len(about.Missing); n > 0 {
				err = errors.Join(err, fmt.Errorf("%s cannot run here: %s of what it needs no node has", filepath.Base(args[0]), plural(n, "thing")))
			}
			return err
		}),
	}
}

// inspectView is what inspect says in JSON.
type inspectView struct {
	File       string          `json:"file"`
	Size       int64           `json:"size"`
	SHA256     api.Digest      `json:"sha256"`
	Component  bool            `json:"component"` // else it is a core module
	Kind       wasmfile.Kind   `json:"kind"`
	Runs       bool            `json:"runs"`                  // nothing is missing
	Modules    int             `json:"modules"`               // core modules in it
	Memory     int64           `json:"memory"`                // bytes that an instance begins with, with tables
	MemoryMost int64           `json:"memory_most,omitempty"` // bytes that its memories may grow to; left out: it does not say
	Imports    []interfaceView `json:"imports"`
	Exports    []interfaceView `json:"exports"`
	Missing    []string        `json:"missing"` // of what it needs
}

// interfaceView is an interface with its functions, or a function by itself with its type.
type interfaceView struct {
	Name      string   `json:"name"`
	Functions []string `json:"functions,omitempty"`
	Type      string   `json:"type,omitempty"`
}

func newInspection(file string, m wasmfile.Module, about wasmfile.About) inspectView {
	return inspectView{File: file, Size: m.Size(), SHA256: m.Digest, Component: about.Component, Kind: about.Kind(), Runs: len(about.Missing) == 0,
		Modules: about.Modules, Memory: about.Memory, MemoryMost: about.MostMemory,
		Imports: interfaceViews(about.Imports), Exports: interfaceViews(about.Exports), Missing: append([]string{}, about.Missing...)}
}

func interfaceViews(all []component.Interface) []interfaceView {
	out := []interfaceView{}
	for _, i := range all {
		out = append(out, interfaceView{i.Name, i.Functions, i.Func})
	}
	return out
}

func (a *app) printInspection(v inspectView, about wasmfile.About) {
	fmt.Fprintf(a.out, "%s: %s\n", printable(filepath.Base(v.File)), about)
	rows := [][]string{{"  size", bytesText(v.Size)}, {"  sha256", v.SHA256.String()}}
	if v.Kind != wasmfile.KindUnknown {
		rows = append(rows, []string{"  memory", memoryText(v)})
	}
	if v.Component && v.Modules > 0 {
		rows = append(rows, []string{"  made of", plural(v.Modules, "core module")})
	}
	table(a.out, rows)
	a.printInterfaces("imports", v.Imports, v.Component)
	a.printInterfaces("exports", v.Exports, v.Component)
	if len(v.Missing) > 0 {
		fmt.Fprintln(a.out, "missing here")
		for _, m := range v.Missing {
			fmt.Fprintf(a.out, "  %s\n", oneLine(m))
		}
	}
}

func memoryText(v inspectView) string {
	if v.Memory+v.MemoryMost == 0 {
		return "none"
	}
	most := "it does not say how much at most"
	if v.MemoryMost > 0 {
		most = "at most " + bytesText(v.MemoryMost)
	}
	return fmt.Sprintf("%s to begin with, %s", bytesText(v.Memory), most)
}

// inspectWidth is how long lines of names are, in characters.
const inspectWidth = 90

// printInterfaces shows each interface with its functions below it: those of a component
// with their types, those of a core module, which have none to be seen, side by side.
func (a *app) printInterfaces(title string, all []interfaceView, typed bool) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(a.out, title)
	for _, i := range all {
		lines := functionLines(i.Functions)
		switch {
		case i.Type != "":
			fmt.Fprintf(a.out, "  %s: %s\n", oneLine(i.Name), oneLine(i.Type))
			continue
		case !typed:
			lines = wrapped(strings.Join(coreNames(i.Functions), ", "), inspectWidth)
		}
		fmt.Fprintf(a.out, "  %s\n", oneLine(i.Name))
		for _, line := range lines {
			fmt.Fprintf(a.out, "    %s\n", line)
		}
	}
}

// functionLines are functions as WIT has them within their interface: what belongs to a
// resource is named RESOURCE.FUNCTION.
func functionLines(functions []string) (out []string) {
	for _, f := range functions {
		for sign, as := range map[string]string{"[method]": "func(", "[static]": "static func(", "[constructor]": "constructor("} {
			if rest, ok := strings.CutPrefix(f, sign); ok {
				f = strings.Replace(rest, ": func(", ": "+as, 1)
			}
		}
		out = append(out, oneLine(f))
	}
	return out
}

// coreNames are the imports of a core module, without saying of each that it is a function.
func coreNames(imports []string) (out []string) {
	for _, f := range imports {
		if name := oneLine(strings.TrimSuffix(f, ": function")); !slices.Contains(out, name) {
			out = append(out, name) // linkers import some of them twice
		}
	}
	return out
}

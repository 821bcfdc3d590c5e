package wasmfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/component"
)

// Kind is what a program is, in a word.
type Kind string

// Kinds of programs.
const (
	KindCommand = Kind(engine.KindCommand) // it runs, and ends
	KindHTTP    = Kind("http")             // a component that answers requests by wasi:http
	KindCGI     = Kind("cgi")              // a command that reads requests from its environment, as CGI has it
	KindReactor = Kind(engine.KindReactor) // a core module whose functions are called
	KindLibrary = Kind(engine.KindLibrary) // likewise, without an _initialize
	KindNone    = Kind("none")             // a component of which nothing runs
	KindUnknown = Kind("unknown")          // it needs what there is not, and cannot be told
)

// About is what the bytes of a program tell of it.
type About struct {
	*engine.Report
	// Missing is what it needs and no node has, by what it is and its name; with any of it
	// it cannot run.
	Missing []string
}

// About reads the program. Errors go on after "FILE is".
func (m Module) About() (About, error) {
	r, err := engine.Inspect(m.Bytes)
	if err != nil {
		return About{}, fmt.Errorf("no WebAssembly that can run: %w: build it again", err)
	}
	a := About{r, r.Missing}
	if !r.Component {
		a.Missing = foreign(r)
	}
	return a, nil
}

// foreign lists what a core module imports that is not of WASI 0.1.
func foreign(r *engine.Report) (out []string) {
	for _, i := range r.Imports {
		for _, f := range i.Functions {
			name, what, _ := strings.Cut(f, ": ")
			if i.Name != engine.WASI || what != "function" {
				out = append(out, fmt.Sprintf("%s %s of %s", what, name, i.Name))
			}
		}
	}
	return out
}

// Kind is what the program is.
func (a About) Kind() Kind {
	switch {
	case a.Component && len(a.Missing) > 0 && a.Report.Kind == "":
		return KindUnknown
	case a.Component && a.Report.Kind == engine.KindHTTP:
		return KindHTTP
	case a.Component && a.Report.Kind != engine.KindCommand:
		return KindNone
	case a.CGI:
		return KindCGI
	}
	return Kind(a.Report.Kind)
}

// String says it to people, after "FILE: ".
func (a About) String() string {
	if a.Component {
		switch a.Kind() {
		case KindHTTP:
			return "a component that answers HTTP (wasi:http)"
		case KindCommand:
			return "a component, a command (wasi:cli)"
		case KindNone:
			return "a component without an entry: nothing of it runs"
		}
		return "a component"
	}
	switch a.Kind() {
	case KindCGI:
		return "a core module, a web program that speaks CGI"
	case KindReactor:
		return "a core module, a reactor: its functions are called"
	case KindLibrary:
		return "a core module, a library: its functions are called"
	}
	return "a core module, a command"
}

// runs reports whether the program is, or can also be, a command.
func (a About) runs() bool {
	if !a.Component {
		return a.Report.Kind == engine.KindCommand
	}
	return a.Report.Kind == engine.KindCommand || slices.ContainsFunc(a.Exports, func(i component.Interface) bool { return strings.HasPrefix(i.Name, "wasi:cli/run@0.2.") })
}

// Runnable says why no node can run the program; nil: there is no reason to be seen.
// Errors go on after "FILE is".
func (a About) Runnable() error {
	if len(a.Missing) == 0 {
		return nil
	}
	hint := "build it for WASI 0.2, and without a host of its own"
	switch {
	case !a.Component && slices.ContainsFunc(a.Imports, func(i component.Interface) bool { return i.Name == "gojs" || i.Name == "go" }):
		hint = "build it with GOOS=wasip1 instead of GOOS=js"
	case !a.Component:
		hint = "build it for WASI 0.1 (GOOS=wasip1 in Go, wasm32-wasip1 in Rust), and without a host of its own"
	}
	return fmt.Errorf("%s, and needs what no node has: %s", a, list(a.Missing, "\n  ")+"\n"+hint)
}

// maxListed is how many things a message names.
const maxListed = 20

// list puts each thing behind sep.
func list(things []string, sep string) string {
	var b strings.Builder
	for _, t := range things[:min(len(things), maxListed)] {
		fmt.Fprintf(&b, "%s%.200s", sep, t)
	}
	if more := len(things) - maxListed; more > 0 {
		fmt.Fprintf(&b, "%sand %d more", sep, more)
	}
	return b.String()
}

// Interface is how the program is spoken to; that it is called by functions alone, or that
// nothing can run it, is an error, which goes on after "FILE is".
func (a About) Interface() (api.Interface, error) {
	if err := a.Runnable(); err != nil {
		return "", err
	}
	switch a.Kind() {
	case KindHTTP:
		return api.InterfaceHTTP, nil
	case KindCGI:
		return api.InterfaceCGI, nil
	}
	return api.InterfaceCommand, a.Speaks(api.InterfaceCommand)
}

// Speaks says why the program cannot be spoken to like this; nil: it can, for all that is
// to be seen. Errors go on after "FILE is".
func (a About) Speaks(i api.Interface) error {
	if err := a.Runnable(); err != nil {
		return err
	}
	kind := a.Kind()
	switch {
	case kind == KindReactor || kind == KindLibrary:
		return fmt.Errorf("%s: realm fn deploy --name NAME --wasm FILE makes one callable; to have it run, build it as a command, which exports _start (Go: without -buildmode=c-shared)", a)
	case i == api.InterfaceHTTP && !a.Component:
		return fmt.Errorf("%s, and wasi:http is for components", a)
	case i == api.InterfaceHTTP && kind != KindHTTP:
		return fmt.Errorf("%s, and exports no wasi:http/incoming-handler of WASI 0.2: it answers no requests", a)
	case i == api.InterfaceCGI && !a.runs():
		return fmt.Errorf("%s, and no command, as programs that speak CGI are", a)
	case i == api.InterfaceCommand && kind == KindHTTP && !a.runs():
		return fmt.Errorf("%s, and runs nothing by itself", a)
	}
	return nil
}

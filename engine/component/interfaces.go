package component

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/internal/elab"
	"github.com/realm-mesh/realm/engine/component/internal/valid"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// name is what stands in an interface, whose version is left out.
type name struct{ iface, name string }

// interfaces are those of the host, as WIT has them.
type interfaces struct {
	resources map[name]*wit.Resource
	functions map[name]*wit.Func // that the host has
	entries   map[name]*wit.Func // that it calls
}

// version is what versions of interfaces begin with that are the same to us: later ones of
// 0.2 add functions, and change none.
const version = "0.2."

// host are the interfaces of WASI 0.2. They are read once: their resources are the same
// for all components.
var host = sync.OnceValues(func() (*interfaces, error) {
	in, err := readInterfaces(wasi.Types)
	if err != nil {
		return nil, fmt.Errorf("read the interfaces of WASI: %w", err)
	}
	return in, nil
})

// readInterfaces returns what a component imports.
func readInterfaces(b []byte) (*interfaces, error) {
	tree, err := read(b)
	if err != nil {
		return nil, err
	}
	in := &interfaces{map[name]*wit.Resource{}, map[name]*wit.Func{}, map[name]*wit.Func{}}
	plan, _, err := elab.Elaborate(tree, in.define, elab.DefaultCaps())
	if err != nil {
		return nil, err
	}
	for _, f := range plan.Imports {
		n := name{f.Interface, f.Name}
		if n == runEntry || n == handleEntry {
			in.entries[n] = f.Type
		} else {
			in.functions[n] = f.Type
		}
	}
	return in, nil
}

// read decodes and validates a component.
func read(b []byte) (*binary.Component, error) {
	caps := binary.DefaultCaps()
	tree, err := binary.Decode(b, caps)
	if err == nil {
		err = valid.Check(tree, caps)
	}
	return tree, err
}

func (in *interfaces) define(iface, resource string) *wit.Resource {
	n := name{iface, resource}
	if in.resources[n] == nil {
		in.resources[n] = &wit.Resource{Name: resource}
	}
	return in.resources[n]
}

// resource implements [elab.Resources].
func (in *interfaces) resource(iface, resource string) *wit.Resource {
	return in.resources[name{iface, resource}]
}

// Bounds of what is told of what is missing.
const (
	maxMissing     = 100
	maxMissingName = 200 // bytes
)

// missing lists what a plan imports that is not there, sorted: an interface, or what of it.
func (in *interfaces) missing(p *elab.Plan) []string {
	lacks := map[lack]bool{}
	for _, f := range p.Foreign {
		lacks[lack{kind: f.Kind, name: f.Name}] = true
	}
	for _, f := range p.Imports {
		if l, is := in.lacks(f); is && len(lacks) <= maxMissing {
			lacks[l] = true
		}
	}
	var out []string
	for l := range lacks {
		out = append(out, in.tell(l))
	}
	slices.Sort(out)
	if len(out) > maxMissing {
		out = append(out[:maxMissing], "and more")
	}
	return out
}

// lack is something that is missing: something of a kind, or an interface, or a function of
// one, or one that here has another type.
type lack struct {
	kind, iface, version, name string
	is                         *wit.Func
}

// tell says what is missing.
func (in *interfaces) tell(l lack) string {
	full := cut(versioned(l.iface, l.version))
	switch {
	case l.kind != "":
		return l.kind + " " + cut(l.name)
	case l.name == "":
		return "interface " + full
	case l.is == nil:
		return fmt.Sprintf("function %s of %s", cut(l.name), full)
	}
	return fmt.Sprintf("function %s of %s as %s: here it is %s", l.name, full, l.is, in.functions[name{l.iface, l.name}])
}

// cut cuts a name that is too long to be told.
func cut(s string) string {
	if len(s) <= maxMissingName {
		return s
	}
	return strings.ToValidUTF8(s[:maxMissingName], "") + "…"
}

// lacks reports whether a function is missing, and what of it.
func (in *interfaces) lacks(f *elab.Func) (l lack, is bool) {
	if f.Interface == "" {
		return lack{kind: "function", name: f.Name}, true
	}
	if !strings.HasPrefix(f.Version, version) || strings.Contains(f.Version, "-") || !in.has(f.Interface) {
		return lack{iface: f.Interface, version: f.Version}, true
	}
	has := in.functions[name{f.Interface, f.Name}]
	switch {
	case has == nil:
		return lack{iface: f.Interface, version: f.Version, name: f.Name}, true
	case !wit.SameFunc(has, f.Type):
		return lack{iface: f.Interface, version: f.Version, name: f.Name, is: f.Type}, true
	}
	return lack{}, false
}

// versioned is an interface with its version, if it has one.
func versioned(iface, version string) string {
	if version == "" {
		return iface
	}
	return iface + "@" + version
}

func (in *interfaces) has(iface string) bool {
	for n := range in.functions {
		if n.iface == iface {
			return true
		}
	}
	return false
}

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

// missing lists what a plan imports that is not there, sorted: an interface, or what of it.
func (in *interfaces) missing(p *elab.Plan) (out []string) {
	for _, f := range p.Foreign {
		out = append(out, f.Kind+" "+f.Name)
	}
	for _, f := range p.Imports {
		if why := in.lacks(f); why != "" {
			out = append(out, why)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lacks says what of a function is missing; nothing: it is there.
func (in *interfaces) lacks(f *elab.Func) string {
	if f.Interface == "" {
		return "function " + f.Name
	}
	full := f.Interface
	if f.Version != "" {
		full += "@" + f.Version
	}
	has := in.functions[name{f.Interface, f.Name}]
	switch {
	case !strings.HasPrefix(f.Version, version) || strings.Contains(f.Version, "-") || !in.has(f.Interface):
		return "interface " + full
	case has == nil:
		return fmt.Sprintf("function %s of %s", f.Name, full)
	case !wit.SameFunc(has, f.Type):
		return fmt.Sprintf("function %s of %s as %s: here it is %s", f.Name, full, f.Type, has)
	}
	return ""
}

func (in *interfaces) has(iface string) bool {
	for n := range in.functions {
		if n.iface == iface {
			return true
		}
	}
	return false
}

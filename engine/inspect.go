package engine

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
)

// Report is what can be told of a program to a person who has its file.
type Report struct {
	Component bool // else it is a core module
	Kind      Kind // empty: it cannot be told
	// Imports and Exports are interfaces of a component, and modules of a core module.
	Imports, Exports []component.Interface
	Modules          int   // core modules in it
	Memory           int64 // bytes of memory and tables that a new instance has
	MostMemory       int64 // bytes that memories may grow to; 0: they do not say
	Missing          []string
	// CGI: it looks as if it read requests from its environment, as CGI has it.
	CGI bool
}

// Inspect tells what a program is. Errors are those of [Parse]; a component that needs
// what there is not is none, if that is all that is wrong with it.
func Inspect(wasm []byte) (*Report, error) {
	if IsComponent(wasm) {
		return inspectComponent(wasm)
	}
	p, err := Parse(wasm)
	if err != nil {
		return nil, err
	}
	return inspectModule(p.Shape(), p.core), nil
}

func inspectComponent(wasm []byte) (*Report, error) {
	p, err := Parse(wasm)
	if lacks := new(component.Error); errors.As(err, &lacks) && len(lacks.Missing) > 0 {
		return &Report{Component: true, Missing: lacks.Missing}, nil
	}
	if err != nil {
		return nil, err
	}
	s := p.Shape()
	c := s.Component
	return &Report{Component: true, Kind: s.Kind(), Imports: c.Imports(), Exports: c.Exports(), Modules: c.Modules(),
		Memory: c.Size(), MostMemory: c.MostMemory(), Missing: c.Missing()}, nil
}

func inspectModule(s Shape, m *meter.Module) *Report {
	r := &Report{Kind: s.Kind(), Modules: 1, Memory: s.Size(), CGI: s.Kind() == KindCommand && m.Mentions(cgiVariables...)}
	r.MostMemory, _ = s.MostMemory()
	for _, i := range s.Imports {
		if n := len(r.Imports); n == 0 || r.Imports[n-1].Name != i.Module {
			r.Imports = append(r.Imports, component.Interface{Name: i.Module})
		}
		last := &r.Imports[len(r.Imports)-1]
		last.Functions = append(last.Functions, fmt.Sprintf("%s: %s", i.Name, i.Kind))
	}
	for _, name := range s.Names {
		r.Exports = append(r.Exports, component.Interface{Name: name, Func: s.Functions[name].String()})
	}
	return r
}

// cgiVariables are in programs that speak CGI: who reads one of them has to read these.
var cgiVariables = []string{"REQUEST_METHOD", "QUERY_STRING", "SERVER_PROTOCOL"}

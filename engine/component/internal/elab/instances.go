package elab

import (
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// instantiate goes through the definitions of a component. args are nil for the outermost:
// the host gives what it imports.
func (e *elaboration) instantiate(c *component, args map[string]entry, parent *Instance, depth int) *scope {
	e.limit(depth, e.caps.Depth, "levels of instances")
	e.limit(len(e.plan.Instances), e.caps.Instances, "instances")
	self := &Instance{Index: len(e.plan.Instances), Parent: parent}
	e.plan.Instances = append(e.plan.Instances, self)
	s := &scope{outer: c.in, self: self, args: args}
	for i := range c.def.Defs {
		e.spend(1)
		e.definition(s, c.def.Defs[i].Is, depth)
	}
	return s
}

func (e *elaboration) definition(s *scope, def any, depth int) {
	switch d := def.(type) {
	case *binary.Module:
		s.add(binary.CoreModule, d)
	case *binary.CoreInst:
		s.add(binary.CoreInstance, e.coreInstance(s, d))
	case *binary.CoreFuncType, *binary.ModuleType:
		s.add(binary.CoreType, nil)
	case *binary.Component:
		s.add(binary.ComponentSort, &component{d, s})
	case *binary.Inst:
		s.add(binary.InstanceSort, e.instance(s, d, depth))
	case *binary.Alias:
		s.add(d.Sort, e.alias(s, d))
	case *binary.TypeDef:
		s.add(binary.Type, e.define(s, d))
	case *binary.Canon:
		e.canon(s, d)
	case *binary.Import:
		s.add(d.Desc.Sort, e.imported(s, d))
	case *binary.Export:
		v := s.at(d.Ref)
		call(v, d.Name)
		s.out.set(d.Name, entry{d.Ref.Sort, v})
		s.add(d.Ref.Sort, v)
	}
}

// call gives a name to a type that has none.
func call(v any, name string) {
	switch t := v.(type) {
	case *wit.Type:
		if t.Name == "" && t.Kind >= wit.Record && t.Kind <= wit.Flags {
			t.Name = name
		}
	case *wit.Resource:
		if t.Name == "" {
			t.Name = name
		}
	}
}

// coreInstance is an instance of a core module, or a bundle.
func (e *elaboration) coreInstance(s *scope, d *binary.CoreInst) *coreInstance {
	e.spend(len(d.Args) + len(d.Exports))
	if d.Inline {
		items := make(map[string]*Item, len(d.Exports))
		for _, x := range d.Exports {
			items[x.Name] = at[*Item](s, x.Ref.Sort, x.Ref.Index)
		}
		return &coreInstance{step: -1, items: items}
	}
	args := make(map[string]*coreInstance, len(d.Args))
	for _, a := range d.Args {
		args[a.Name] = at[*coreInstance](s, binary.CoreInstance, a.Instance)
	}
	return e.step(at[*binary.Module](s, binary.CoreModule, d.Module), args)
}

// step adds a step that makes an instance.
func (e *elaboration) step(m *binary.Module, args map[string]*coreInstance) *coreInstance {
	e.limit(len(e.plan.Steps), e.caps.Steps, "core instances")
	if m == nil {
		panic(foreign{}) // a module that is imported
	}
	e.spend(len(m.Module.Imports) + len(m.Module.Exports))
	n := len(e.plan.Steps)
	var slots []int
	slot := func(step int) int {
		for i, have := range slots {
			if have == step {
				return i
			}
		}
		slots = append(slots, step)
		return len(slots) - 1
	}
	out := &Module{Module: m, Imports: make([]Source, len(m.Module.Imports))}
	var given []*Item // functions that it imports
	for i, imp := range m.Module.Imports {
		item := args[imp.Module].item(e, imp.Name)
		if imp.Kind == wasm.ExternFunc {
			given = append(given, item)
		}
		if item.Step < 0 {
			out.Imports[i] = Source{Slot: -1, Host: item.Host}
		} else {
			out.Imports[i] = Source{Slot: slot(item.Step), Name: item.Name}
		}
	}
	e.plan.Steps = append(e.plan.Steps, Step{e.module(out), slots})
	return &coreInstance{step: n, items: passed(m.Module, given)}
}

// passed are the functions that a module exports and has been given itself, by the names of
// these exports: whoever uses them uses what it was given.
func passed(m *wasm.Module, given []*Item) (out map[string]*Item) {
	for _, x := range m.Exports {
		if x.Kind != wasm.ExternFunc || int(x.Index) >= len(given) {
			continue
		}
		if out == nil {
			out = map[string]*Item{}
		}
		out[x.Name] = given[x.Index]
	}
	return out
}

// module is the number of the module of the plan that is like m.
func (e *elaboration) module(m *Module) int {
	number, again := e.numbers[m.Module]
	if !again {
		number = len(e.numbers)
		e.numbers[m.Module] = number
	}
	var key strings.Builder
	fmt.Fprint(&key, number)
	for _, i := range m.Imports {
		fmt.Fprintf(&key, " %d %d %d", i.Slot, i.Host, e.number(i.Name))
	}
	n, ok := e.like[key.String()]
	if !ok {
		if again {
			e.copies += len(m.Code)
			e.limit(e.copies, e.caps.Copies, "bytes of core modules whose imports are satisfied in several ways")
		}
		n = len(e.modules)
		e.like[key.String()] = n
		e.modules = append(e.modules, m)
	}
	return n
}

// number stands for a name of an export.
func (e *elaboration) number(name string) int {
	n, ok := e.names[name]
	if !ok {
		n = len(e.names)
		e.names[name] = n
	}
	return n
}

// item is an export of a core instance.
func (c *coreInstance) item(e *elaboration, name string) *Item {
	if i := c.items[name]; i != nil {
		return i
	}
	return e.item(Item{Step: c.step, Name: name})
}

// instance is an instance of a component, or a bundle.
func (e *elaboration) instance(s *scope, d *binary.Inst, depth int) *instance {
	e.spend(len(d.Args) + len(d.Exports))
	out := &instance{}
	if d.Inline {
		for _, x := range d.Exports {
			v := s.at(x.Ref)
			call(v, x.Name)
			out.set(x.Name, entry{x.Ref.Sort, v})
		}
		return out
	}
	c := at[*component](s, binary.ComponentSort, d.Component)
	if c == nil {
		panic(foreign{}) // a component that is imported
	}
	args := make(map[string]entry, len(d.Args))
	for _, a := range d.Args {
		args[a.Name] = entry{a.Ref.Sort, s.at(a.Ref)}
	}
	return &e.instantiate(c, args, s.self, depth+1).out
}

// alias is what an alias is of.
func (e *elaboration) alias(s *scope, a *binary.Alias) any {
	switch a.Kind {
	case binary.AliasExport:
		return at[*instance](s, binary.InstanceSort, a.Instance).items[a.Name].value
	case binary.AliasCoreExport:
		return at[*coreInstance](s, binary.CoreInstance, a.Instance).item(e, a.Name)
	default:
		for range a.Count {
			s = s.outer
		}
		return s.spaces[a.Sort][a.Index]
	}
}

package elab

import (
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
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
		return &coreInstance{-1, items}
	}
	args := make(map[string]*coreInstance, len(d.Args))
	for _, a := range d.Args {
		args[a.Name] = at[*coreInstance](s, binary.CoreInstance, a.Instance)
	}
	return &coreInstance{e.step(at[*binary.Module](s, binary.CoreModule, d.Module), args), nil}
}

// step adds a step, and returns its number.
func (e *elaboration) step(m *binary.Module, args map[string]*coreInstance) int {
	e.limit(len(e.plan.Steps), e.caps.Steps, "core instances")
	if m == nil {
		return -1 // of a module that is imported: the component is refused for that
	}
	e.spend(len(m.Module.Imports))
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
	for i, imp := range m.Module.Imports {
		item := args[imp.Module].item(e, imp.Name)
		if item.Step < 0 {
			out.Imports[i] = Source{Slot: -1, Host: item.Host}
		} else {
			out.Imports[i] = Source{Slot: slot(item.Step), Name: item.Name}
		}
	}
	e.plan.Steps = append(e.plan.Steps, Step{e.module(out), slots})
	return n
}

// module is the number of the module of the plan that is like m.
func (e *elaboration) module(m *Module) int {
	number, ok := e.numbers[m.Module]
	if !ok {
		number = len(e.numbers)
		e.numbers[m.Module] = number
	}
	var key strings.Builder
	fmt.Fprint(&key, number)
	for _, i := range m.Imports {
		fmt.Fprintf(&key, " %d %d %q", i.Slot, i.Host, i.Name)
	}
	n, ok := e.like[key.String()]
	if !ok {
		n = len(e.modules)
		e.like[key.String()] = n
		e.modules = append(e.modules, m)
	}
	return n
}

// item is an export of a core instance.
func (c *coreInstance) item(e *elaboration, name string) *Item {
	if c == nil {
		return e.item(Item{Step: 0, Name: name}) // likewise
	}
	if c.items != nil {
		return c.items[name]
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
		return out // likewise
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

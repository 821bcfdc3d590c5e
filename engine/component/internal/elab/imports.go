package elab

import (
	"cmp"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// imported is what satisfies an import: an argument, or the host.
func (e *elaboration) imported(s *scope, d *binary.Import) any {
	if s.args != nil {
		return s.args[d.Name].value
	}
	name, version, _ := strings.Cut(cmp.Or(d.Implements, d.Name)+d.VersionSuffix, "@")
	s.host = &hostInterface{"", ""}
	defer func() { s.host = nil }()
	if d.Desc.Sort == binary.InstanceSort {
		t, _ := s.typeAt(d.Desc.Index).(*scoped[binary.InstanceType])
		return e.hostInstance(t, &hostInterface{name, version})
	}
	return e.declared(s, d.Name, d.Desc)
}

// hostInstance is an interface of the host, of a type.
func (e *elaboration) hostInstance(t *scoped[binary.InstanceType], h *hostInterface) *instance {
	s := &scope{outer: t.in, host: h}
	for i := range t.def.Decls {
		e.spend(1)
		switch d := t.def.Decls[i].Is.(type) {
		case *binary.CoreFuncType, *binary.ModuleType:
			s.add(binary.CoreType, nil)
		case *binary.TypeDef:
			s.add(binary.Type, e.define(s, d))
		case *binary.Alias:
			s.add(d.Sort, e.alias(s, d))
		case *binary.ExportDecl:
			v := e.declared(s, d.Name, d.Desc)
			s.add(d.Desc.Sort, v)
			s.out.set(d.Name, entry{d.Desc.Sort, v})
		}
	}
	return &s.out
}

// declared is what the host gives as name in the interface that s is the scope of.
func (e *elaboration) declared(s *scope, name string, d binary.Desc) any {
	switch d.Sort {
	case binary.Func:
		f := &Func{Type: at[*wit.Func](s, binary.Type, d.Index), Interface: s.host.name, Name: name, Version: s.host.version}
		e.plan.Imports = append(e.plan.Imports, f)
		return f
	case binary.Type:
		if d.Resource {
			return e.resource(s.host, name)
		}
		v := s.typeAt(d.Index)
		call(v, name)
		return v
	case binary.InstanceSort:
		e.spell(s.host.name)
		t, _ := s.typeAt(d.Index).(*scoped[binary.InstanceType])
		return e.hostInstance(t, &hostInterface{s.host.name + "/" + name, s.host.version})
	case binary.CoreModule:
		e.foreign(s.host, name, "module")
	case binary.ComponentSort:
		e.foreign(s.host, name, "component")
	}
	return nil
}

// resource is one of the host's, or one that it does not know.
func (e *elaboration) resource(h *hostInterface, name string) *wit.Resource {
	if r := e.host(h.name, name); r != nil {
		return r
	}
	e.foreign(h, name, "resource")
	return &wit.Resource{Name: name}
}

// foreign notes something in an interface that the host does not know.
func (e *elaboration) foreign(h *hostInterface, name, kind string) {
	e.spell(h.name)
	if h.name != "" {
		name = h.name + "." + name
	}
	e.plan.Foreign = append(e.plan.Foreign, Foreign{name, kind})
}

package elab

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// primitives by their code, from 0x7f down.
var primitives = func() (out [13]*wit.Type) {
	for i, k := range []wit.Kind{wit.Bool, wit.S8, wit.U8, wit.S16, wit.U16, wit.S32, wit.U32, wit.S64, wit.U64, wit.F32, wit.F64, wit.Char, wit.String} {
		out[i] = &wit.Type{Kind: k}
	}
	return out
}()

func primitive(p binary.Prim) *wit.Type { return primitives[0x7f-p] }

// define is the type that a definition makes.
func (e *elaboration) define(s *scope, d *binary.TypeDef) any {
	switch t := d.Is.(type) {
	case *binary.ValType:
		e.spend(len(t.Fields))
		return value(s, t)
	case *binary.FuncType:
		e.spend(len(t.Params))
		f := &wit.Func{Params: fields(s, t.Params)}
		if t.Result != nil {
			f.Result = s.valueType(*t.Result)
		}
		return f
	case *binary.InstanceType:
		return &scoped[binary.InstanceType]{t, s}
	case *binary.ComponentType:
		return &scoped[binary.ComponentType]{t, s}
	case *binary.ResourceType:
		r := &Resource{Resource: &wit.Resource{}}
		if t.Dtor != nil {
			r.Dtor = at[*Item](s, binary.CoreFunc, *t.Dtor)
		}
		e.limit(e.resources, e.caps.Resources, "resources")
		e.resources++
		s.self.Resources = append(s.self.Resources, r)
		return r.Resource
	}
	return nil
}

func value(s *scope, t *binary.ValType) *wit.Type {
	switch t.Kind {
	case binary.Record:
		return &wit.Type{Kind: wit.Record, Fields: fields(s, t.Fields)}
	case binary.Tuple:
		return &wit.Type{Kind: wit.Tuple, Fields: fields(s, t.Fields)}
	case binary.Variant:
		out := &wit.Type{Kind: wit.Variant, Cases: make([]wit.Case, len(t.Fields))}
		for i, f := range t.Fields {
			out.Cases[i] = wit.Case{Name: f.Name, Type: s.optional(f.Type)}
		}
		return out
	case binary.List:
		return &wit.Type{Kind: wit.List, Elem: s.valueType(t.Elem)}
	case binary.Option:
		return &wit.Type{Kind: wit.Option, Elem: s.valueType(t.Elem)}
	case binary.Flags:
		return &wit.Type{Kind: wit.Flags, Names: t.Names}
	case binary.Enum:
		return &wit.Type{Kind: wit.Enum, Names: t.Names}
	case binary.Result:
		return &wit.Type{Kind: wit.Result, OK: s.optional(t.OK), Err: s.optional(t.Err)}
	case binary.Own:
		return &wit.Type{Kind: wit.Own, Resource: at[*wit.Resource](s, binary.Type, t.Index)}
	case binary.Borrow:
		return &wit.Type{Kind: wit.Borrow, Resource: at[*wit.Resource](s, binary.Type, t.Index)}
	}
	return primitive(t.Prim)
}

func (s *scope) optional(r *binary.TypeRef) *wit.Type {
	if r == nil {
		return nil
	}
	return s.valueType(*r)
}

func fields(s *scope, in []binary.Field) []wit.Field {
	out := make([]wit.Field, len(in))
	for i, f := range in {
		out[i] = wit.Field{Name: f.Name, Type: s.optional(f.Type)}
	}
	return out
}

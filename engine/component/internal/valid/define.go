package valid

import (
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// typeDef makes the type that d defines.
func (k *checker) typeDef(s *scope, d *binary.TypeDef) typ {
	switch t := d.Is.(type) {
	case *binary.ValType:
		return k.valType(s, t)
	case *binary.FuncType:
		return k.funcType(s, t)
	case *binary.ComponentType:
		return k.componentType(s, t)
	case *binary.InstanceType:
		return k.instanceType(s, t)
	case *binary.ResourceType:
		return k.resourceType(s, t)
	}
	k.fail("a definition of type %T is not known", d.Is)
	return nil
}

func (k *checker) resourceType(s *scope, t *binary.ResourceType) typ {
	if s.place != inComponent {
		k.fail("a resource is defined in a type: only components can")
	}
	if t.Dtor != nil {
		want := wasm.FuncType{Params: []wasm.ValueType{wasm.I32}}
		if !s.coreFunc(*t.Dtor).Equal(want) {
			k.fail("the destructor of a resource has a type other than that of a function from i32")
		}
	}
	r := newResource()
	s.defined = append(s.defined, r.id)
	set(&s.local, r.id, true)
	return r
}

// prims are the primitive types.
var prims = func() map[binary.Prim]*valType {
	m := map[binary.Prim]*valType{}
	sizes := map[binary.Prim]uint64{bool8: 1, s8: 1, u8: 1, s16: 2, u16: 2, s32: 4, u32: 4, s64: 8, u64: 8, f32: 4, f64: 8, char: 4}
	for p := str; p <= bool8; p++ {
		m[p] = &valType{facts: facts{size: 1, depth: 1}, prim: p, bytes: sizes[p], align: sizes[p]}
	}
	m[str].bytes, m[str].align = 2*pointer, pointer
	return m
}()

// Primitive types as they are encoded.
const (
	str binary.Prim = 0x73 + iota
	char
	f64
	f32
	u64
	s64
	u32
	s32
	u16
	s16
	u8
	s8
	bool8
)

// ref returns the type that t refers to.
func (s *scope) ref(t binary.TypeRef) *valType {
	if t.Prim != 0 {
		return prims[t.Prim]
	}
	return typeAt[*valType](s, t.Index, "values")
}

func (s *scope) optional(t *binary.TypeRef) *valType {
	if t == nil {
		return nil
	}
	return s.ref(*t)
}

func (k *checker) valType(s *scope, d *binary.ValType) *valType {
	t := &valType{kind: d.Kind, prim: d.Prim}
	switch d.Kind {
	case 0:
		return anew(prims[d.Prim]).(*valType)
	case binary.Record, binary.Variant, binary.Tuple:
		what := map[binary.ValKind]string{binary.Record: "record", binary.Variant: "variant", binary.Tuple: "tuple"}[d.Kind]
		t.fields = k.fields(s, what, d.Fields, d.Kind != binary.Tuple)
		if len(t.fields) == 0 {
			k.fail("a %s has nothing in it", what)
		}
	case binary.Flags, binary.Enum:
		t.names = k.names(d)
	case binary.List, binary.Option:
		t.elem = s.ref(d.Elem)
	case binary.Result:
		t.ok, t.err = s.optional(d.OK), s.optional(d.Err)
	case binary.Own, binary.Borrow:
		t.res = s.resource(d.Index)
	}
	t.facts = k.measure(t)
	k.layOut(t)
	return t
}

// fields makes fields, cases, or parameters.
func (k *checker) fields(s *scope, what string, in []binary.Field, named bool) []field {
	seen := map[string]bool{}
	out := make([]field, 0, len(in))
	for _, f := range in {
		if named {
			k.label(what, f.Name, seen)
		}
		out = append(out, field{f.Name, s.optional(f.Type)})
	}
	return out
}

// maxFlags is the most flags of one type.
const maxFlags = 32

func (k *checker) names(d *binary.ValType) []string {
	what := "enum"
	if d.Kind == binary.Flags {
		what = "flags"
		if len(d.Names) > maxFlags {
			k.fail("flags has %d names, at most %d", len(d.Names), maxFlags)
		}
	}
	if len(d.Names) == 0 {
		k.fail("%s has nothing in it", what)
	}
	seen := map[string]bool{}
	for _, n := range d.Names {
		k.label(what, n, seen)
	}
	return d.Names
}

// label checks a name in something: among those seen it has to be the only one of its kind.
func (k *checker) label(what, name string, seen map[string]bool) {
	k.step(1 + len(name))
	if !label.MatchString(name) {
		k.fail("%s: the name %.100q is not in kebab case", what, name)
	}
	lower := strings.ToLower(name)
	if seen[lower] {
		k.fail("%s: the name %.100q is there twice, apart from case", what, name)
	}
	seen[lower] = true
}

func (k *checker) funcType(s *scope, d *binary.FuncType) *funcType {
	t := &funcType{params: k.fields(s, "function", d.Params, true), result: s.optional(d.Result)}
	if t.result != nil && t.result.borrows {
		k.fail("the result of a function has a borrow in it")
	}
	t.facts = k.measure(t)
	return t
}

// componentType makes the type of a component that is declared.
func (k *checker) componentType(outer *scope, d *binary.ComponentType) *compType {
	s := newScope(k, inComponentType, outer)
	k.declare(s, d.Decls)
	return s.finish()
}

// instanceType makes the type of an instance that is declared.
func (k *checker) instanceType(outer *scope, d *binary.InstanceType) *instType {
	s := newScope(k, inInstanceType, outer)
	k.declare(s, d.Decls)
	return &instType{facts: s.exports.total.facts, exports: s.exports.taken(), bound: s.defined}
}

func (k *checker) declare(s *scope, decls []binary.Decl) {
	for _, d := range decls {
		k.at = d.Offset
		k.step(1)
		k.define(s, d.Is)
	}
}

package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// place is what a scope is of.
type place uint8

const (
	inComponent place = iota
	inComponentType
	inInstanceType
)

// coreType is an entry of the space of core types: one of the fields is set.
type coreType struct {
	fn     *wasm.FuncType
	module *modType
}

// coreInstance has the exports of a core instance.
type coreInstance map[string]extern

// scope has the index spaces of a component, or of a type of one, as far as they are.
type scope struct {
	k     *checker
	place place
	outer *scope

	coreFuncs    []*wasm.FuncType
	coreTables   []wasm.TableType
	coreMemories []wasm.Limits
	coreGlobals  []wasm.GlobalType
	coreTypes    []coreType
	modules      []*modType
	coreInsts    []coreInstance
	funcs        []*funcType
	types        []typ
	components   []*compType
	insts        []*instType

	imports, exports side

	bound    []*resource        // imported
	defined  []*resource        // here, by instances, or by exports of types
	local    map[*resource]bool // defined by resource types here
	explicit map[*resource]bool // exported
}

// side is either what is imported or what is exported.
type side struct {
	items
	total adding
	names map[string]string // canonical: as they are
	// visible are the types that have a name outside.
	visible map[typ]bool
	// resources are names of resources, as names of methods refer to them.
	resources map[string]bool
	nameOf    map[*resType]string
}

func newScope(k *checker, p place, outer *scope) *scope {
	k.step(nodeWork)
	return &scope{k: k, place: p, outer: outer, imports: side{total: *k.sum()}, exports: side{total: *k.sum()}}
}

// set adds to a map, which is made if there is none: most scopes never need most of theirs.
func set[K comparable, V any](m *map[K]V, key K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = v
}

// taken returns the items for a type, which is not to keep the rest.
func (d *side) taken() *items {
	i := d.items
	return &i
}

// add appends an entry to an index space.
func add[T any](s *scope, space *[]T, t T) {
	if len(*space) >= s.k.caps.Space {
		s.k.fail("more than %d entries in an index space", s.k.caps.Space)
	}
	*space = append(*space, t)
}

// at returns an entry of an index space.
func at[T any](s *scope, sort binary.Sort, space []T, i uint32) T {
	if int64(i) >= int64(len(space)) {
		s.k.fail("%s %d is not there: there are %d", sort, i, len(space))
	}
	return space[i]
}

func (s *scope) coreFunc(i uint32) *wasm.FuncType { return at(s, binary.CoreFunc, s.coreFuncs, i) }
func (s *scope) coreType(i uint32) coreType       { return at(s, binary.CoreType, s.coreTypes, i) }
func (s *scope) module(i uint32) *modType         { return at(s, binary.CoreModule, s.modules, i) }
func (s *scope) coreInst(i uint32) coreInstance   { return at(s, binary.CoreInstance, s.coreInsts, i) }
func (s *scope) fn(i uint32) *funcType            { return at(s, binary.Func, s.funcs, i) }
func (s *scope) typ(i uint32) typ                 { return at(s, binary.Type, s.types, i) }
func (s *scope) inst(i uint32) *instType          { return at(s, binary.InstanceSort, s.insts, i) }
func (s *scope) component(i uint32) *compType     { return at(s, binary.ComponentSort, s.components, i) }

// typeAt returns a type of the form that is needed.
func typeAt[T typ](s *scope, i uint32, form string) T {
	t, ok := s.typ(i).(T)
	if !ok {
		s.k.fail("type %d is not of %s", i, form)
	}
	return t
}

func (s *scope) resource(i uint32) *resType { return typeAt[*resType](s, i, "a resource") }

// entity returns what r refers to.
func (s *scope) entity(r binary.Ref) entity {
	e := entity{sort: r.Sort}
	switch r.Sort {
	case binary.CoreModule:
		e.t = s.module(r.Index)
	case binary.Func:
		e.t = s.fn(r.Index)
	case binary.Type:
		e.t = s.typ(r.Index)
	case binary.ComponentSort:
		e.t = s.component(r.Index)
	case binary.InstanceSort:
		e.t = s.inst(r.Index)
	default:
		s.k.fail("%s is nothing that components import or export", article(r.Sort))
	}
	return e
}

// push appends e to its index space.
func (s *scope) push(e entity) {
	switch t := e.t.(type) {
	case *modType:
		add(s, &s.modules, t)
	case *funcType:
		if e.sort == binary.Func {
			add(s, &s.funcs, t)
			return
		}
		add(s, &s.types, e.t)
	case *compType:
		if e.sort == binary.ComponentSort {
			add(s, &s.components, t)
			return
		}
		add(s, &s.types, e.t)
	case *instType:
		if e.sort == binary.InstanceSort {
			add(s, &s.insts, t)
			return
		}
		add(s, &s.types, e.t)
	default:
		add(s, &s.types, e.t)
	}
}

// desc returns what an import or export is said to be, and whether it is a fresh resource.
func (s *scope) desc(d binary.Desc) (e entity, fresh bool) {
	e.sort = d.Sort
	switch d.Sort {
	case binary.CoreModule:
		m := s.coreType(d.Index).module
		if m == nil {
			s.k.fail("core type %d is not of a module", d.Index)
		}
		e.t = m
	case binary.Func:
		e.t = typeAt[*funcType](s, d.Index, "a function")
	case binary.ComponentSort:
		e.t = typeAt[*compType](s, d.Index, "a component")
	case binary.InstanceSort:
		e.t = typeAt[*instType](s, d.Index, "an instance")
	default:
		if d.Resource {
			e.t = newResource()
			return e, true
		}
		e.t = anew(s.typ(d.Index))
	}
	return e, false
}

func newResource() *resType {
	return &resType{facts: facts{size: 1, depth: 1, resources: true}, id: new(resource)}
}

// finish returns the type of the component, or type of one, whose scope it is.
func (s *scope) finish() *compType {
	total := s.k.sum()
	total.parts(s.imports.total.size + s.exports.total.size)
	total.depth = max(s.imports.total.depth, s.exports.total.depth) + 1
	total.resources = s.imports.total.resources || s.exports.total.resources
	c := &compType{facts: total.facts, imports: s.imports.taken(), exports: s.exports.taken(), imported: s.bound}
	inImports := s.k.free(c.imports)
	inExports := s.k.free(c.exports)
	for _, r := range s.defined {
		if inImports[r] {
			s.k.fail("an import refers to a resource that is not imported")
		}
		if !inExports[r] {
			continue
		}
		if !s.explicit[r] {
			s.k.fail("an export refers to a resource that is not exported")
		}
		c.defined = append(c.defined, r)
	}
	return c
}

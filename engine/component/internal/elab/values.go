package elab

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// What entries of index spaces stand for. A core item is an *Item, a function a *Func; a
// type is one of
//
//	*wit.Type, *wit.Func, *wit.Resource, *scoped[binary.InstanceType],
//	*scoped[binary.ComponentType]
//
// and nil where nobody asks: a type of a core module or of a core function.

// coreInstance is a core instance: that of a step, or a bundle.
type coreInstance struct {
	step  int              // negative: bundle
	items map[string]*Item // of a bundle; of a step, the functions that it was given and exports
}

// instance is a component instance: what it exports, in their order.
type instance struct {
	names []string
	items map[string]entry
}

func (i *instance) set(name string, e entry) {
	if i.items == nil {
		i.items = map[string]entry{}
	}
	if _, ok := i.items[name]; !ok {
		i.names = append(i.names, name)
	}
	i.items[name] = e
}

// scoped is something that is written with the indices of a scope.
type scoped[T any] struct {
	def *T
	in  *scope
}

// component is a component and the scope that it was defined in.
type component = scoped[binary.Component]

// entry is an entry of an index space.
type entry struct {
	sort  binary.Sort
	value any
}

// scope is a component that is being elaborated, or a type of one: its index spaces.
type scope struct {
	outer  *scope
	self   *Instance // nil in a type
	args   map[string]entry
	spaces [binary.InstanceSort + 1][]any
	out    instance // its exports
	// host is the interface whose type the scope is, for resources of the host.
	host *hostInterface
}

// hostInterface is an interface that is imported from the host.
type hostInterface struct{ name, version string }

func (s *scope) add(sort binary.Sort, v any) { s.spaces[sort] = append(s.spaces[sort], v) }

func (s *scope) at(r binary.Ref) any { return s.spaces[r.Sort][r.Index] }

func at[T any](s *scope, sort binary.Sort, i uint32) T {
	v, _ := s.spaces[sort][i].(T) // of this type in a valid component
	return v
}

func (s *scope) typeAt(i uint32) any { return s.spaces[binary.Type][i] }

func (s *scope) valueType(r binary.TypeRef) *wit.Type {
	if r.Prim != 0 {
		return primitive(r.Prim)
	}
	return at[*wit.Type](s, binary.Type, r.Index)
}

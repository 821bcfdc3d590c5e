package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// resource is a type of resources by identity, as it is defined somewhere or abstract.
type resource struct {
	_ byte // so that no two have the same address
}

// typ is an entry of the space of types, or the type of a module. Its address tells it from
// types that are equal but have other names: each import and export makes one anew.
type typ interface{ known() *facts }

// facts are what is known of a type when it is made.
type facts struct {
	size      int  // parts, what it refers to counted each time
	depth     int  // of references
	borrows   bool // a borrow is in it
	resources bool // a resource is in it
}

func (f *facts) known() *facts { return f }

type resType struct {
	facts
	id *resource
}

type valType struct {
	facts
	kind   binary.ValKind // 0: prim
	prim   binary.Prim
	fields []field
	names  []string
	elem   *valType // of List and Option
	ok     *valType
	err    *valType
	res    *resType
	bytes  uint64 // in a memory, of 64 bits as the largest there may be
	align  uint64
	flat   *flat // nil: not computed
}

type field struct {
	name string
	t    *valType // nil: none
}

type funcType struct {
	facts
	params []field
	result *valType
}

type instType struct {
	facts
	exports *items
	// bound are the resources that each instance of the type has of its own. There are none
	// in the type of an instance that is there.
	bound []*resource
}

type compType struct {
	facts
	imports, exports *items
	imported         []*resource // that the imports bring
	defined          []*resource // that each instance has of its own, and exports
}

type modType struct {
	facts
	imports []coreImport
	exports map[string]extern
}

type coreImport struct {
	module, name string
	extern
}

// extern is the type of what a core module imports or exports.
type extern struct {
	kind   wasm.ExternKind
	fn     *wasm.FuncType
	table  wasm.TableType
	memory wasm.Limits
	global wasm.GlobalType
}

// entity is the type of what a component imports or exports, and its sort.
type entity struct {
	sort binary.Sort
	t    typ // *modType, *funcType, *compType, *instType; of a Type: itself
}

type item struct {
	name string
	entity
}

// items are imports or exports, in their order.
type items struct {
	list   []item
	byName map[string]int
}

func (i *items) get(name string) (entity, bool) {
	n, ok := i.byName[name]
	if !ok {
		return entity{}, false
	}
	return i.list[n].entity, true
}

func (i *items) add(name string, e entity) {
	if i.byName == nil {
		i.byName = map[string]int{}
	}
	i.byName[name] = len(i.list)
	i.list = append(i.list, item{name, e})
}

// anew is t once more, with an address of its own.
func anew(t typ) typ {
	switch t := t.(type) {
	case *resType:
		c := *t
		return &c
	case *valType:
		c := *t
		return &c
	case *funcType:
		c := *t
		return &c
	case *instType:
		c := *t
		return &c
	case *compType:
		c := *t
		return &c
	}
	return t
}

// parts calls fn for the types that t has in it, one level deep.
func (t *valType) parts(fn func(*valType)) {
	for _, f := range t.fields {
		if f.t != nil {
			fn(f.t)
		}
	}
	for _, p := range []*valType{t.elem, t.ok, t.err} {
		if p != nil {
			fn(p)
		}
	}
}

// parts calls fn for the types of parameters and result.
func (t *funcType) parts(fn func(*valType)) {
	for _, p := range t.params {
		fn(p.t)
	}
	if t.result != nil {
		fn(t.result)
	}
}

package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// canon adds what a canonical definition makes.
func (k *checker) canon(s *scope, d *binary.Canon) {
	i32 := []wasm.ValueType{wasm.I32}
	switch d.Op {
	case binary.Lift:
		k.lift(s, d)
	case binary.Lower:
		k.lower(s, d)
	case binary.ResourceNew, binary.ResourceRep:
		if !s.local[s.resource(d.Type).id] {
			k.fail("type %d is no resource of this component: it cannot make one, or see what it stands for", d.Type)
		}
		add(s, &s.coreFuncs, &wasm.FuncType{Params: i32, Results: i32})
	default:
		s.resource(d.Type)
		add(s, &s.coreFuncs, &wasm.FuncType{Params: i32})
	}
}

// needs is which options a function needs.
type needs struct{ memory, realloc bool }

// lift checks that a core function has the signature of the function that it is to be.
func (k *checker) lift(s *scope, d *binary.Canon) {
	f := typeAt[*funcType](s, d.Type, "a function")
	core := s.coreFunc(d.Func)
	want, n := k.lifted(f)
	k.options(s, &d.Options, n)
	if !core.Equal(*want) {
		k.fail("core function %d is %v, where %v is to be lifted", d.Func, signature{core}, signature{want})
	}
	if p := d.Options.PostReturn; p != nil {
		after := wasm.FuncType{Params: core.Results}
		if got := s.coreFunc(*p); !got.Equal(after) {
			k.fail("the post-return function is %v, where %v is needed", signature{got}, signature{&after})
		}
	}
	add(s, &s.funcs, f)
}

// lifted returns the signature of a core function that is lifted.
func (k *checker) lifted(f *funcType) (*wasm.FuncType, needs) {
	params, result := k.flattenParams(f), k.flatten(f.result)
	t := &wasm.FuncType{Params: params.types, Results: result.types}
	n := needs{memory: params.memory || result.memory, realloc: params.memory}
	if len(params.types) > maxFlatParams {
		t.Params = []wasm.ValueType{wasm.I32}
		n.memory, n.realloc = true, true
	}
	if len(result.types) > maxFlatResults {
		t.Results = []wasm.ValueType{wasm.I32}
		n.memory = true
	}
	return t, n
}

// lower adds the core function that calls a function.
func (k *checker) lower(s *scope, d *binary.Canon) {
	t, n := k.lowered(s.fn(d.Func))
	if d.Options.PostReturn != nil {
		k.fail("a function that is lowered has a post-return function")
	}
	k.options(s, &d.Options, n)
	add(s, &s.coreFuncs, t)
}

// lowered returns the signature of a core function that is made by lowering.
func (k *checker) lowered(f *funcType) (*wasm.FuncType, needs) {
	params, result := k.flattenParams(f), k.flatten(f.result)
	t := &wasm.FuncType{Params: params.types, Results: result.types}
	n := needs{memory: params.memory || result.memory, realloc: result.memory}
	if len(params.types) > maxFlatParams {
		t.Params = []wasm.ValueType{wasm.I32}
		n.memory = true
	}
	if len(result.types) > maxFlatResults {
		t.Params = append(t.Params[:len(t.Params):len(t.Params)], wasm.I32)
		t.Results = nil
		n.memory = true
	}
	return t, n
}

func (k *checker) flattenParams(f *funcType) *flat {
	all := &flat{}
	for _, p := range f.params {
		all.add(k.flatten(p.t))
	}
	return all
}

// options checks the options of a function that is lifted or lowered.
func (k *checker) options(s *scope, o *binary.Options, n needs) {
	if o.Memory != nil {
		at(s, binary.CoreMemory, s.coreMemories, *o.Memory)
	}
	if o.Realloc != nil {
		i32 := wasm.I32
		want := wasm.FuncType{Params: []wasm.ValueType{i32, i32, i32, i32}, Results: []wasm.ValueType{i32}}
		if got := s.coreFunc(*o.Realloc); !got.Equal(want) {
			k.fail("the realloc function is %v, where %v is needed", signature{got}, signature{&want})
		}
		if o.Memory == nil {
			k.fail("a realloc function is given, and no memory")
		}
	}
	if n.memory && o.Memory == nil {
		k.fail("the function needs a memory: its values do not fit into core values")
	}
	if n.realloc && o.Realloc == nil {
		k.fail("the function needs a realloc function: it is given values that are in memory")
	}
}

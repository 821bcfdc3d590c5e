package valid

import (
	"fmt"
	"math"
	"slices"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// Check returns nil if c, as [binary.Decode] returned it, and all that is in it, is valid, or
// else a [*binary.Error]. It does not change c, and can run beside others.
func Check(c *binary.Component, caps binary.Caps) (err error) {
	k := &checker{caps: caps, at: c.Offset}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *binary.Error: // as fail has it
			err = p
		default:
			panic(p)
		}
	}()
	k.component(nil, c)
	return nil
}

// checker goes through a component once. What is wrong ends it, through a panic with the
// *binary.Error that Check then returns.
type checker struct {
	caps binary.Caps
	at   int // offset of the definition
	work int
	// path is what is compared: names of imports and exports, from the outside.
	path []about
}

// about is a name, and how it is told.
type about struct{ format, name string }

func (k *checker) fail(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	for _, a := range slices.Backward(k.path) {
		reason = fmt.Sprintf(a.format, a.name) + ": " + reason
	}
	panic(&binary.Error{Offset: k.at, Reason: reason})
}

// missing says that the component needs a feature that there is not.
func (k *checker) missing(feature string) {
	panic(&binary.Error{Offset: k.at, Reason: "it needs what is not supported: " + feature, Missing: []string{feature}})
}

// step counts work.
func (k *checker) step(n int) {
	if k.work += n; k.work > k.caps.Work {
		k.path = nil
		k.fail("it takes more than %d steps to check", k.caps.Work)
	}
}

// in has fn run while path tells that it is about that name.
func (k *checker) in(format, name string, fn func()) {
	k.path = append(k.path, about{format, name})
	fn()
	k.path = k.path[:len(k.path)-1]
}

// adding sums up what a type consists of, so far.
type adding struct {
	k *checker
	facts
}

func (k *checker) sum() *adding { return &adding{k: k, facts: facts{size: 1, depth: 1}} }

func (s *adding) parts(n int) {
	s.size = min(s.size+n, math.MaxInt32)
	if s.size > s.k.caps.TypeSize {
		s.k.fail("a type has more than %d parts", s.k.caps.TypeSize)
	}
}

// groups is how much deeper than types of values all others may be.
const groups = 10

func (s *adding) add(t typ) {
	f := t.known()
	s.k.step(1)
	s.parts(f.size)
	s.depth = max(s.depth, f.depth+1)
	s.borrows = s.borrows || f.borrows
	s.resources = s.resources || f.resources
	limit := s.k.caps.TypeDepth
	if _, value := t.(*valType); !value {
		limit *= groups
	}
	if s.depth > limit+1 {
		s.k.fail("types are nested deeper than %d", limit)
	}
}

// measure returns the facts of a type that is made.
func (k *checker) measure(t typ) facts {
	s := k.sum()
	switch t := t.(type) {
	case *valType:
		s.parts(len(t.fields) + len(t.names))
		s.borrows, s.resources = t.kind == binary.Borrow, t.res != nil
		t.parts(func(p *valType) { s.add(p) })
	case *funcType:
		t.parts(func(p *valType) { s.add(p) })
	case *instType:
		s.items(t.exports)
	case *compType:
		s.items(t.imports)
		s.items(t.exports)
	}
	return s.facts
}

func (s *adding) items(i *items) {
	for _, x := range i.list {
		s.add(x.t)
	}
}

// component checks a component in an outer scope, and returns its type.
func (k *checker) component(outer *scope, c *binary.Component) *compType {
	s := newScope(k, inComponent, outer)
	for i := range c.Defs {
		k.at = c.Defs[i].Offset
		k.step(1)
		k.define(s, c.Defs[i].Is)
	}
	return s.finish()
}

func (k *checker) define(s *scope, def any) {
	switch d := def.(type) {
	case *binary.Module:
		add(s, &s.modules, k.moduleOf(d.Module))
	case *binary.CoreInst:
		k.coreInst(s, d)
	case *binary.CoreFuncType:
		add(s, &s.coreTypes, coreType{fn: &d.FuncType})
	case *binary.ModuleType:
		add(s, &s.coreTypes, coreType{module: k.moduleType(s, d)})
	case *binary.Component:
		add(s, &s.components, k.component(s, d))
	case *binary.Inst:
		k.inst(s, d)
	case *binary.Alias:
		k.alias(s, d)
	case *binary.TypeDef:
		add(s, &s.types, k.typeDef(s, d))
	case *binary.Canon:
		k.canon(s, d)
	case *binary.Import:
		s.imported(d.Name, d.Attributes, d.Desc)
	case *binary.Export:
		k.export(s, d)
	case *binary.ExportDecl:
		e, fresh := s.desc(d.Desc)
		s.exported(d.Name, d.Attributes, e, fresh)
	default:
		k.fail("a definition of type %T is not known", def)
	}
}

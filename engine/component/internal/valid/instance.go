package valid

import "github.com/realm-mesh/realm/engine/component/internal/binary"

// inst adds an instance.
func (k *checker) inst(s *scope, d *binary.Inst) {
	if d.Inline {
		add(s, &s.insts, k.inline(s, d.Exports))
		return
	}
	c := s.component(d.Component)
	args := &items{}
	for _, a := range d.Args {
		if _, ok := args.get(a.Name); ok {
			k.fail("two arguments have the name %.100q", a.Name)
		}
		args.add(a.Name, s.entity(a.Ref))
	}
	add(s, &s.insts, k.instantiate(s, c, args))
}

// instantiate returns the type of an instance of c with those arguments.
func (k *checker) instantiate(s *scope, c *compType, args *items) *instType {
	cmp := comparison{k: k}
	cmp.right = cmp.right.with(map[*resource]*resource{})
	cmp.open(args, c.imports, c.imported)
	u := substitution{k: k, resources: cmp.right.of, types: map[typ]typ{}}
	for _, x := range c.imports.list {
		arg, _ := args.get(x.name)
		u.given(x.entity, arg)
	}
	for _, r := range c.defined {
		fresh := new(resource)
		u.resources[r] = fresh
		s.defined = append(s.defined, fresh)
	}
	t := &instType{exports: u.items(c.exports)}
	t.facts = k.measure(t)
	return t
}

// given notes which types an argument has in place of those that are imported.
func (u *substitution) given(want, got entity) {
	u.k.step(1)
	switch want.sort {
	case binary.Type:
		u.types[want.t] = got.t
	case binary.InstanceSort:
		from := got.t.(*instType).exports
		for _, x := range want.t.(*instType).exports.list {
			g, _ := from.get(x.name)
			u.given(x.entity, g)
		}
	}
}

// out returns the scope that is count levels out.
func (s *scope) out(count uint32) *scope {
	o := s
	for range count {
		if o = o.outer; o == nil {
			s.k.fail("there are less than %d components and types around", count)
		}
	}
	return o
}

// alias adds what is somewhere else already.
func (k *checker) alias(s *scope, a *binary.Alias) {
	switch a.Kind {
	case binary.AliasExport:
		if s.place != inComponent && a.Sort != binary.InstanceSort && a.Sort != binary.Type {
			k.fail("an alias of %s in a type: only instances and types can be", article(a.Sort))
		}
		e, ok := s.inst(a.Instance).exports.get(a.Name)
		if !ok {
			k.fail("instance %d exports no %.100q", a.Instance, a.Name)
		}
		if e.sort != a.Sort {
			k.fail("the export %.100q is %s, and not %s", a.Name, article(e.sort), article(a.Sort))
		}
		s.push(e)
	case binary.AliasCoreExport:
		k.coreAlias(s, a)
	default:
		k.outerAlias(s, a)
	}
}

func (k *checker) coreAlias(s *scope, a *binary.Alias) {
	x, ok := s.coreInst(a.Instance)[a.Name]
	if !ok {
		k.fail("core instance %d exports no %.100q", a.Instance, a.Name)
	}
	sort := [...]binary.Sort{binary.CoreFunc, binary.CoreTable, binary.CoreMemory, binary.CoreGlobal}[x.kind]
	if sort != a.Sort {
		k.fail("the export %.100q is %s, and not %s", a.Name, article(sort), article(a.Sort))
	}
	switch sort {
	case binary.CoreFunc:
		add(s, &s.coreFuncs, x.fn)
	case binary.CoreTable:
		add(s, &s.coreTables, x.table)
	case binary.CoreMemory:
		add(s, &s.coreMemories, x.memory)
	default:
		add(s, &s.coreGlobals, x.global)
	}
}

// outerAlias adds what is defined outside. A component cannot refer to resources there:
// it has to be the same wherever it is instantiated.
func (k *checker) outerAlias(s *scope, a *binary.Alias) {
	o := s.out(a.Count)
	if s.place != inComponent && a.Sort != binary.CoreType && a.Sort != binary.Type {
		k.fail("an alias of %s in a type: only types can be", article(a.Sort))
	}
	crosses := false
	for x := s; x != o; x = x.outer {
		crosses = crosses || x.place == inComponent
	}
	switch a.Sort {
	case binary.CoreType:
		add(s, &s.coreTypes, o.coreType(a.Index))
	case binary.CoreModule:
		add(s, &s.modules, o.module(a.Index))
	case binary.ComponentSort:
		add(s, &s.components, o.component(a.Index))
	case binary.Type:
		t := o.typ(a.Index)
		if crosses && !k.closed(t) {
			k.fail("an alias of a type outside that refers to resources there")
		}
		add(s, &s.types, t)
	default:
		k.fail("an alias of %s outside", article(a.Sort))
	}
}

package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// imported adds an import.
func (s *scope) imported(n string, a binary.Attributes, d binary.Desc) {
	e, fresh := s.desc(d)
	if i, ok := e.t.(*instType); ok && e.sort == binary.InstanceSort {
		t, bound := s.k.freshen(i)
		s.bound = append(s.bound, bound...)
		e.t = t
	}
	if r, ok := e.t.(*resType); ok && fresh {
		s.bound = append(s.bound, r.id)
	}
	s.push(e)
	s.extern(&s.imports, n, a, e)
}

// exported adds an export. Fresh says that it is a resource of which nothing is known.
func (s *scope) exported(n string, a binary.Attributes, e entity, fresh bool) {
	if i, ok := e.t.(*instType); ok && e.sort == binary.InstanceSort {
		t, bound := s.k.freshen(i)
		s.defined = append(s.defined, bound...)
		e.t = t
		s.expose(t.exports)
	}
	if r, ok := e.t.(*resType); ok {
		if fresh {
			s.defined = append(s.defined, r.id)
		}
		set(&s.explicit, r.id, true)
	}
	s.push(e)
	s.extern(&s.exports, n, a, e)
}

// expose notes that the resources among exports are exported.
func (s *scope) expose(exports *items) {
	for _, x := range exports.list {
		s.k.step(1)
		switch t := x.t.(type) {
		case *resType:
			set(&s.explicit, t.id, true)
		case *instType:
			if x.sort == binary.InstanceSort {
				s.expose(t.exports)
			}
		}
	}
}

// export adds an export of a component.
func (k *checker) export(s *scope, d *binary.Export) {
	e := s.entity(d.Ref)
	if e.sort == binary.Type {
		e.t = anew(e.t)
	}
	fresh := false
	if d.Desc != nil {
		if d.Desc.Sort != d.Ref.Sort {
			k.fail("the export %.100q is %s, and said to be %s", d.Name, article(d.Ref.Sort), article(d.Desc.Sort))
		}
		var as entity
		as, fresh = s.desc(*d.Desc)
		k.in("the type of the export %.100q", d.Name, func() { k.ascribe(e, as, fresh) })
		e = as
	}
	s.exported(d.Name, d.Attributes, e, fresh)
}

// ascribe checks that what is exported has the type that it is said to have.
func (k *checker) ascribe(e, as entity, fresh bool) {
	if fresh {
		if _, ok := e.t.(*resType); !ok {
			k.fail("it is no resource")
		}
		return
	}
	k.compare(e, as)
}

// inline makes the type of an instance that is a bundle of what there is.
func (k *checker) inline(s *scope, exports []binary.InlineExport) *instType {
	b := newScope(k, inInstanceType, s)
	for _, x := range exports {
		b.name(&b.exports, x.Name, x.Attributes, s.entity(x.Ref))
	}
	return &instType{facts: b.exports.total.facts, exports: b.exports.taken()}
}

// extern adds e to what is imported or exported, under its name.
func (s *scope) extern(d *side, n string, a binary.Attributes, e entity) {
	if r, ok := e.t.(*resType); ok {
		set(&d.resources, n, true)
		set(&d.nameOf, r, n)
	}
	s.k.in("%.100q", n, func() {
		if s.place != inInstanceType {
			s.seen(d, e)
		}
	})
	s.name(d, n, a, e)
}

// name checks the name of e, and that it is the only such.
func (s *scope) name(d *side, n string, a binary.Attributes, e entity) {
	k := s.k
	k.step(1 + len(n) + len(a.Implements))
	parsed, ok := parseName(n)
	if !ok && nested.MatchString(n) {
		k.missing("nested package names")
	}
	if !ok {
		k.fail("%.100q is no name of an import or export", n)
	}
	if parsed.form == dependencyName && d == &s.exports {
		k.fail("%.100q is no name of an export", n)
	}
	k.in("%.100q", n, func() {
		k.attributes(parsed, a, e)
		d.rules(k, parsed, e)
		if before, ok := d.names[parsed.key]; ok {
			k.fail("the name is there already, as %.100q", before)
		}
		set(&d.names, parsed.key, n)
		d.total.add(e.t)
		d.add(n, e)
	})
}

// attributes checks what is said of a name.
func (k *checker) attributes(n name, a binary.Attributes, e entity) {
	if a.Has&binary.HasImplements != 0 {
		i, ok := parseName(a.Implements)
		switch {
		case n.form != plainName:
			k.fail("only a plain name can implement an interface")
		case e.sort != binary.InstanceSort:
			k.fail("%s cannot implement an interface", article(e.sort))
		case !ok || i.form != interfaceName || i.versioned && !semver.MatchString(i.version):
			k.fail("it implements %.100q, which is no name of an interface", a.Implements)
		}
	}
	suffixed := a.Has&binary.HasVersionSuffix != 0
	switch {
	case suffixed && (e.sort != binary.InstanceSort || !n.versioned):
		k.fail("only the version of an interface can have a suffix")
	case suffixed && !canonical.MatchString(n.version):
		k.fail("a version has a suffix, and %.100q is no canonical version", n.version)
	case n.versioned && !semver.MatchString(n.version+a.VersionSuffix):
		k.fail("%.100q is no version", n.version+a.VersionSuffix)
	}
}

// rules are those that a name brings for what has it.
func (d *side) rules(k *checker, n name, e entity) {
	if n.form != constructorName && n.form != methodName && n.form != staticName {
		return
	}
	f, ok := e.t.(*funcType)
	if !ok || e.sort != binary.Func {
		k.fail("%s has the name of a function", article(e.sort))
	}
	switch n.form {
	case constructorName:
		d.named(k, resultResource(f), n.resource, "the result of a constructor")
	case methodName:
		if len(f.params) == 0 || f.params[0].name != "self" || f.params[0].t.kind != binary.Borrow {
			k.fail(`the first parameter of a method is not "self", a borrow`)
		}
		d.named(k, f.params[0].t.res, n.resource, "the first parameter of a method")
	default:
		if !d.resources[n.resource] {
			k.fail("there is no resource %.100q beside it", n.resource)
		}
	}
}

// resultResource returns the resource that a constructor makes; nil: it is none.
func resultResource(f *funcType) *resType {
	t := f.result
	if t != nil && t.kind == binary.Result {
		t = t.ok
	}
	if t == nil || t.kind != binary.Own {
		return nil
	}
	return t.res
}

// named checks that r is the resource which has that name here.
func (d *side) named(k *checker, r *resType, want, what string) {
	switch got, ok := d.nameOf[r]; {
	case r == nil:
		k.fail("%s owns no resource", what)
	case !ok:
		k.fail("%s is of a resource that has no name beside it", what)
	case got != want:
		k.fail("%s is of the resource %.100q, not %.100q", what, got, want)
	}
}

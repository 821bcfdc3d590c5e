package valid

import "github.com/realm-mesh/realm/engine/component/internal/binary"

// meaning says what resources that a type binds stand for.
type meaning struct {
	outer *meaning
	of    map[*resource]*resource
}

func (m *meaning) with(of map[*resource]*resource) *meaning { return &meaning{outer: m, of: of} }

func (m *meaning) get(r *resource) *resource {
	for ; m != nil; m = m.outer {
		if to, ok := m.of[r]; ok {
			return to
		}
	}
	return r
}

// comparison checks that what is on the left can be used where the right is needed. Each side
// has a meaning for the resources that its types bind.
type comparison struct {
	k           *checker
	left, right *meaning
}

// compare checks that got can be used where want is needed.
func (k *checker) compare(got, want entity) { (&comparison{k: k}).entity(got, want) }

func (c *comparison) swap() { c.left, c.right = c.right, c.left }

func (c *comparison) entity(l, r entity) {
	if l.sort != r.sort {
		c.k.fail("it is %s, where %s is needed", article(l.sort), article(r.sort))
	}
	if m, ok := r.t.(*modType); ok {
		c.module(l.t.(*modType), m)
		return
	}
	c.typ(l.t, r.t)
}

func (c *comparison) typ(l, r typ) {
	c.k.step(1)
	if c.same(l, r) {
		return
	}
	switch r := r.(type) {
	case *resType:
		if l, ok := l.(*resType); ok {
			c.resource(l, r)
			return
		}
	case *valType:
		if l, ok := l.(*valType); ok {
			c.value(l, r)
			return
		}
	case *funcType:
		if l, ok := l.(*funcType); ok {
			c.function(l, r)
			return
		}
	case *instType:
		if l, ok := l.(*instType); ok {
			c.instance(l, r)
			return
		}
	case *compType:
		if l, ok := l.(*compType); ok {
			c.component(l, r)
			return
		}
	}
	c.k.fail("it is another form of type than the one that is needed")
}

// same reports whether l and r are one type, and that is all there is to it.
func (c *comparison) same(l, r typ) bool {
	return l == r && (!l.known().resources || c.left == nil && c.right == nil)
}

func (c *comparison) resource(l, r *resType) {
	if c.left.get(l.id) != c.right.get(r.id) {
		c.k.fail("it is another resource than the one that is needed")
	}
}

func (c *comparison) value(l, r *valType) {
	c.k.step(1 + len(l.fields) + len(l.names))
	if c.same(l, r) {
		return
	}
	if l.kind != r.kind || l.prim != r.prim || len(l.fields) != len(r.fields) || len(l.names) != len(r.names) {
		c.k.fail("it is a type %v, where %v is needed", described{l}, described{r})
	}
	for i := range l.names {
		c.label(l.names[i], r.names[i])
	}
	for i := range l.fields {
		c.label(l.fields[i].name, r.fields[i].name)
		c.optional(l.fields[i].t, r.fields[i].t)
	}
	c.optional(l.elem, r.elem)
	c.optional(l.ok, r.ok)
	c.optional(l.err, r.err)
	if l.res != nil {
		c.resource(l.res, r.res)
	}
}

func (c *comparison) label(l, r string) {
	if l != r {
		c.k.fail("it has the name %.100q, where %.100q is needed", l, r)
	}
}

func (c *comparison) optional(l, r *valType) {
	switch {
	case l == nil && r == nil:
	case l == nil || r == nil:
		c.k.fail("a type is there on one side, and none on the other")
	default:
		c.value(l, r)
	}
}

func (c *comparison) function(l, r *funcType) {
	c.k.step(1 + len(l.params))
	if len(l.params) != len(r.params) {
		c.k.fail("a function has %d parameters, where %d are needed", len(l.params), len(r.params))
	}
	for i, p := range r.params {
		if l.params[i].name != p.name {
			c.k.fail("a parameter has the name %.100q, where %.100q is needed", l.params[i].name, p.name)
		}
		c.k.in("the parameter %.100q", p.name, func() { c.value(l.params[i].t, p.t) })
	}
	c.optional(l.result, r.result)
}

func (c *comparison) module(l, r *modType) {
	if l == r {
		return
	}
	given := map[[2]string]extern{}
	for _, i := range r.imports {
		given[[2]string{i.module, i.name}] = i.extern
	}
	c.k.step(len(r.imports) + len(l.imports) + len(r.exports))
	for _, i := range l.imports {
		got, ok := given[[2]string{i.module, i.name}]
		if !ok {
			c.k.fail("the module imports %.100q %.100q, which is not given to it", i.module, i.name)
		}
		c.k.in("the import %.100q", i.name, func() { c.k.compareExtern(got, i.extern) })
	}
	// The first that is wrong is to be the same each time.
	for _, n := range sortedKeys(r.exports) {
		got, ok := l.exports[n]
		if !ok {
			c.k.fail("the module has no export %.100q", n)
		}
		c.k.in("the export %.100q", n, func() { c.k.compareExtern(got, r.exports[n]) })
	}
}

func (c *comparison) instance(l, r *instType) {
	outer := *c
	c.right = c.right.with(map[*resource]*resource{})
	c.open(l.exports, r.exports, r.bound)
	*c = outer
}

func (c *comparison) component(l, r *compType) {
	outer := *c
	c.swap()
	c.right = c.right.with(map[*resource]*resource{})
	c.open(r.imports, l.imports, l.imported)
	c.swap()
	c.right = c.right.with(map[*resource]*resource{})
	c.open(l.exports, r.exports, r.defined)
	*c = outer
}

// open checks that got has all that want lists. The resources that want binds then
// stand for those that got has in their place, in the innermost meaning on the right.
func (c *comparison) open(got, want *items, bound []*resource) {
	if len(bound) > 0 {
		free := map[*resource]bool{}
		for _, r := range bound {
			free[r] = true
		}
		c.find(got, want, free)
	}
	for _, w := range want.list {
		g, ok := got.get(w.name)
		c.k.in("%.100q", w.name, func() {
			if !ok {
				c.k.fail("it is needed, and not there")
			}
			c.entity(g, w.entity)
		})
	}
}

// find looks for what free resources stand for: those that have the same name.
func (c *comparison) find(got, want *items, free map[*resource]bool) {
	for _, w := range want.list {
		c.k.step(1)
		g, ok := got.get(w.name)
		if !ok || g.sort != w.sort {
			continue
		}
		switch t := w.t.(type) {
		case *resType:
			if l, ok := g.t.(*resType); ok && free[t.id] {
				delete(free, t.id)
				c.right.of[t.id] = c.left.get(l.id)
			}
		case *instType:
			if w.sort == binary.InstanceSort {
				c.find(g.t.(*instType).exports, t.exports, free)
			}
		}
	}
}

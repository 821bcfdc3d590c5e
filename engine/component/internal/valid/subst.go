package valid

// substitution replaces resources, and types that are given for imported ones, in types.
// What is not changed by it stays the same type, by address.
type substitution struct {
	k         *checker
	resources map[*resource]*resource
	types     map[typ]typ // those that are given, and those that are done
}

// nodeWork is the work that stands for a type that is made, as it takes memory.
const nodeWork = 16

func (u *substitution) typ(t typ) typ {
	u.k.step(1)
	if done, ok := u.types[t]; ok {
		return done
	}
	var out typ
	switch t := t.(type) {
	case *resType:
		out = u.resType(t)
	case *valType:
		out = u.value(t)
	case *funcType:
		out = u.function(t)
	case *instType:
		out = u.instance(t)
	case *compType:
		out = u.component(t)
	default:
		out = t // modules refer to no resources
	}
	if out != t {
		u.k.step(nodeWork)
	}
	u.types[t] = out
	return out
}

func (u *substitution) resType(t *resType) typ {
	if to, ok := u.resources[t.id]; ok {
		return &resType{facts: t.facts, id: to}
	}
	return t
}

// val is typ for types of values, nil included.
func (u *substitution) val(t *valType) *valType {
	if t == nil {
		return nil
	}
	return u.typ(t).(*valType)
}

func (u *substitution) fields(in []field) (out []field, changed bool) {
	for i, f := range in {
		to := u.val(f.t)
		if to != f.t && !changed {
			u.k.step(len(in))
			out, changed = append([]field(nil), in...), true
		}
		if changed {
			out[i].t = to
		}
	}
	if !changed {
		out = in
	}
	return out, changed
}

func (u *substitution) value(t *valType) typ {
	c := *t
	var changed bool
	c.fields, changed = u.fields(t.fields)
	c.elem, c.ok, c.err = u.val(t.elem), u.val(t.ok), u.val(t.err)
	if t.res != nil {
		c.res = u.typ(t.res).(*resType)
	}
	if !changed && c.elem == t.elem && c.ok == t.ok && c.err == t.err && c.res == t.res {
		return t
	}
	c.facts = u.k.measure(&c)
	return &c
}

func (u *substitution) function(t *funcType) typ {
	c := *t
	var changed bool
	c.params, changed = u.fields(t.params)
	if c.result = u.val(t.result); !changed && c.result == t.result {
		return t
	}
	c.facts = u.k.measure(&c)
	return &c
}

func (u *substitution) items(in *items) *items {
	var out *items
	for i, x := range in.list {
		to := u.typ(x.t)
		if to != x.t && out == nil {
			u.k.step(len(in.list))
			out = &items{list: append([]item(nil), in.list...), byName: in.byName}
		}
		if out != nil {
			out.list[i].t = to
		}
	}
	if out == nil {
		return in
	}
	return out
}

func (u *substitution) instance(t *instType) typ {
	c := *t
	if c.exports = u.items(t.exports); c.exports == t.exports {
		return t
	}
	c.facts = u.k.measure(&c)
	return &c
}

func (u *substitution) component(t *compType) typ {
	c := *t
	c.imports, c.exports = u.items(t.imports), u.items(t.exports)
	if c.imports == t.imports && c.exports == t.exports {
		return t
	}
	c.facts = u.k.measure(&c)
	return &c
}

// freshen returns t with fresh resources in place of those that it binds, and those.
func (k *checker) freshen(t *instType) (*instType, []*resource) {
	if len(t.bound) == 0 {
		return t, nil
	}
	u := substitution{k: k, resources: map[*resource]*resource{}, types: map[typ]typ{}}
	fresh := make([]*resource, len(t.bound))
	for i, r := range t.bound {
		fresh[i] = new(resource)
		u.resources[r] = fresh[i]
	}
	return &instType{facts: t.facts, exports: u.items(t.exports)}, fresh
}

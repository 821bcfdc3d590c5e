package valid

import "github.com/realm-mesh/realm/engine/component/internal/binary"

// seen checks that e, which is imported or exported, is made of types that have a name on
// that side, where they need one: resources, records, variants, flags and enums. The
// types that e brings then have names themselves.
func (s *scope) seen(d *side, e entity) {
	s.k.step(1)
	switch e.sort {
	case binary.Type:
		if !s.partsVisible(d, e.t) {
			s.k.fail("the type refers to one that is not %s", s.done(d))
		}
		set(&d.visible, e.t, true)
		set(&s.exports.visible, e.t, true)
	case binary.InstanceSort:
		for _, x := range e.t.(*instType).exports.list {
			s.k.in("%.100q", x.name, func() { s.seen(d, x.entity) })
		}
	case binary.Func:
		if !s.partsVisible(d, e.t) {
			s.k.fail("the function refers to a type that is not %s", s.done(d))
		}
	}
}

func (s *scope) done(d *side) string {
	if d == &s.imports {
		return "imported"
	}
	return "exported"
}

// partsVisible reports whether the parts of t are visible.
func (s *scope) partsVisible(d *side, t typ) bool {
	s.k.step(1)
	ok := true
	each := func(p *valType) { ok = ok && s.visible(d, p) }
	switch t := t.(type) {
	case *valType:
		if t.res != nil {
			return d.visible[t.res]
		}
		t.parts(each)
	case *funcType:
		t.parts(each)
	case *instType:
		for _, x := range t.exports.list {
			ok = ok && (x.sort == binary.ComponentSort || s.partsVisible(d, x.t))
		}
	}
	return ok
}

// visible reports whether t is, if it has to be, and its parts.
func (s *scope) visible(d *side, t *valType) bool {
	s.k.step(1)
	switch t.kind {
	case binary.Flags, binary.Enum, binary.Record, binary.Variant:
		return d.visible[t]
	default:
		return s.partsVisible(d, t)
	}
}

package wasm

// Flags of element segments (§5.5.12).
const (
	elemNotActive = 1 << iota
	elemExplicit  // a table, or for those that are not active: declarative
	elemExprs
	elemFlags
)

func (d *decoder) elems() {
	n := d.count("element segments", d.caps.Segments, 3)
	d.m.Elems = make([]Elem, 0, n)
	for range n {
		e := d.elem()
		if d.err != nil {
			return
		}
		d.m.Elems = append(d.m.Elems, e)
	}
}

func (d *decoder) elem() Elem {
	at := d.pos
	flag := d.u32()
	if d.err == nil && flag >= elemFlags {
		d.failAt(at, "element segments of kind %d are not known", flag)
	}
	if d.err != nil {
		return Elem{}
	}
	e := Elem{Type: FuncRef, IsExpr: flag&elemExprs != 0}
	switch flag & (elemNotActive | elemExplicit) {
	case elemNotActive:
		e.Mode = Passive
	case elemNotActive | elemExplicit:
		e.Mode = Declarative
	case elemExplicit:
		e.Table = d.index(ExternTable)
		e.At = d.constExpr(I32)
	default:
		if len(d.m.Tables) == 0 {
			d.failAt(at, "an element segment, and no table")
		}
		e.At = d.constExpr(I32)
	}
	if flag&(elemNotActive|elemExplicit) != 0 {
		e.Type = d.elemType(e.IsExpr)
	}
	if d.err == nil && e.Mode == Active && d.m.Tables[e.Table].Elem != e.Type {
		d.failAt(at, "elements of type %s for a table of %s", e.Type, d.m.Tables[e.Table].Elem)
	}
	d.elemItems(&e)
	return e
}

// elemType reads what the elements are: a reference type, or a kind that stands for one.
func (d *decoder) elemType(exprs bool) ValueType {
	if exprs {
		return d.refType()
	}
	at := d.pos
	kind := d.byte()
	if kind != 0 {
		d.failAt(at, "elements of kind %#x are not known", kind)
	}
	return FuncRef
}

func (d *decoder) elemItems(e *Elem) {
	size := 1
	if e.IsExpr {
		size = 2
	}
	n := d.count("elements", d.caps.Elements, size)
	d.addElements(int64(n))
	for range n {
		if d.err != nil {
			return
		}
		if e.IsExpr {
			e.Exprs = append(e.Exprs, d.constExpr(e.Type))
			continue
		}
		f := d.index(ExternFunc)
		d.declared[f] = true
		e.Funcs = append(e.Funcs, f)
	}
}

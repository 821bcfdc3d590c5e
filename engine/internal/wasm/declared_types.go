package wasm

func (d *decoder) types() {
	n := d.count("types", d.caps.Types, 3)
	d.m.Types = make([]FuncType, 0, n)
	for range n {
		at := d.pos
		form := d.byte()
		if d.err == nil && form != 0x60 {
			d.failAt(at, "type form %#x is not known", form)
		}
		t := FuncType{Params: d.valueTypes("parameters"), Results: d.valueTypes("results")}
		if d.err != nil {
			return
		}
		d.m.Types = append(d.m.Types, t)
	}
}

func (d *decoder) valueTypes(what string) []ValueType {
	n := d.count(what, d.caps.Params, 1)
	if n == 0 {
		return nil
	}
	out := make([]ValueType, n)
	for i := range out {
		out[i] = d.valueType()
	}
	return out
}

func (d *decoder) typeIndex() uint32 {
	at := d.pos
	i := d.u32()
	if d.err == nil && int64(i) >= int64(len(d.m.Types)) {
		d.failAt(at, "type %d is not there: there are %d", i, len(d.m.Types))
		return 0
	}
	return i
}

func (d *decoder) tableType() TableType {
	t := TableType{Elem: d.refType()}
	at := d.pos
	flag := d.byte()
	if flag > 1 {
		d.failAt(at, "limits %#x of a table are not known", flag)
		return t
	}
	t.Limits = d.limits(flag)
	return t
}

func (d *decoder) memoryType() Limits {
	at := d.pos
	flag := d.byte()
	switch {
	case flag <= 1:
	case flag <= 3:
		d.failAt(at, "shared memories are not supported")
	case flag <= 7:
		d.failAt(at, "64-bit memories are not supported")
	default:
		d.failAt(at, "limits %#x of a memory are not known", flag)
	}
	l := d.limits(flag)
	if d.err == nil && (l.Min > maxPages || l.Max > maxPages) {
		d.failAt(at, "a memory of more than %d pages", maxPages)
	}
	return l
}

func (d *decoder) limits(flag byte) Limits {
	at := d.pos
	l := Limits{Min: d.u32(), HasMax: flag == 1}
	if l.HasMax {
		l.Max = d.u32()
		if d.err == nil && l.Max < l.Min {
			d.failAt(at, "a limit of at least %d and at most %d", l.Min, l.Max)
		}
	}
	return l
}

func (d *decoder) globalType() GlobalType {
	t := d.valueType()
	at := d.pos
	mut := d.byte()
	if mut > 1 {
		d.failAt(at, "mutability %#x is not known", mut)
	}
	return GlobalType{Type: t, Mutable: mut == 1}
}

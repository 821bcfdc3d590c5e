package binary

// sort reads a sort.
func (d *decoder) sort() Sort {
	switch c := d.byte(); c {
	case 0x00:
		return d.coreSort()
	case 0x01:
		return Func
	case 0x02:
		d.need(values)
		return Value
	case 0x03:
		return Type
	case 0x04:
		return ComponentSort
	case 0x05:
		return InstanceSort
	default:
		d.unknown("sort", c)
		return 0
	}
}

func (d *decoder) ref() Ref { return Ref{Sort: d.sort(), Index: d.u32()} }

func (d *decoder) inst() *Inst {
	i := &Inst{}
	switch c := d.byte(); c {
	case 0x00:
		i.Component = d.u32()
		i.Args = list(d, "arguments", d.caps.Space, func() Arg { return Arg{Name: d.name(), Ref: d.ref()} })
	case 0x01:
		i.Inline = true
		i.Exports = list(d, "exports", d.caps.Space, func() InlineExport {
			name, attrs := d.externName()
			return InlineExport{Name: name, Attributes: attrs, Ref: d.ref()}
		})
	default:
		d.unknown("form of instances", c)
	}
	return i
}

func (d *decoder) alias() *Alias {
	a := &Alias{Sort: d.sort()}
	switch c := d.byte(); c {
	case 0x00:
		a.Kind, a.Instance, a.Name = AliasExport, d.u32(), d.name()
	case 0x01:
		a.Kind, a.Instance, a.Name = AliasCoreExport, d.u32(), d.name()
	case 0x02:
		a.Kind, a.Count, a.Index = AliasOuter, d.u32(), d.u32()
		if s := a.Sort; s != CoreModule && s != CoreType && s != Type && s != ComponentSort {
			d.fail("an alias of something outside, of sort %s: only types, modules and components can be", s)
		}
	default:
		d.unknown("form of aliases", c)
	}
	return a
}

func (d *decoder) imported() *Import {
	name, attrs := d.externName()
	return &Import{Name: name, Attributes: attrs, Desc: d.desc()}
}

func (d *decoder) export() *Export {
	name, attrs := d.externName()
	e := &Export{Name: name, Attributes: attrs, Ref: d.ref()}
	if d.flag("type of an export") {
		desc := d.desc()
		e.Desc = &desc
	}
	return e
}

// externName reads the name of an import or export, and what is said of it.
func (d *decoder) externName() (string, Attributes) {
	var a Attributes
	form := d.byte()
	if form > 2 {
		d.unknown("form of names", form)
	}
	name := d.name()
	if form != 2 {
		return name, a
	}
	into := [3]*string{&a.Implements, &a.VersionSuffix, &a.ExternalID}
	for range d.count("attributes", len(into)) {
		c := d.byte()
		switch {
		case int(c) >= len(into):
			d.unknown("attribute", c)
			return "", a
		case a.Has&(1<<c) != 0:
			d.fail("attribute %d is twice there", c)
		}
		a.Has |= 1 << c
		*into[c] = d.name()
	}
	return name, a
}

// desc reads the type of an import or export.
func (d *decoder) desc() Desc {
	switch c := d.byte(); c {
	case 0x00:
		if c := d.byte(); c != 0x11 {
			d.unknown("sort of core imports", c)
		}
		return Desc{Sort: CoreModule, Index: d.u32()}
	case 0x01:
		return Desc{Sort: Func, Index: d.u32()}
	case 0x02:
		d.skip(values)
		return Desc{Sort: Value}
	case 0x03:
		if d.flag("bound of a type") {
			return Desc{Sort: Type, Resource: true}
		}
		return Desc{Sort: Type, Index: d.u32()}
	case 0x04:
		return Desc{Sort: ComponentSort, Index: d.u32()}
	case 0x05:
		return Desc{Sort: InstanceSort, Index: d.u32()}
	default:
		d.unknown("sort of imports and exports", c)
		return Desc{}
	}
}

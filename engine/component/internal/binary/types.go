package binary

// typeDef reads a definition of a type.
func (d *decoder) typeDef() *TypeDef {
	switch c := d.peek(); c {
	case 0x40, 0x43:
		return &TypeDef{Is: d.funcType()}
	case 0x41:
		d.byte()
		return &TypeDef{Is: &ComponentType{Decls: d.decls(true)}}
	case 0x42:
		d.byte()
		return &TypeDef{Is: &InstanceType{Decls: d.decls(false)}}
	case 0x3f:
		return &TypeDef{Is: d.resourceType()}
	default:
		return &TypeDef{Is: d.valType()}
	}
}

func (d *decoder) resourceType() *ResourceType {
	d.byte()
	switch rep := d.byte(); rep {
	case 0x7f:
	case 0x7e:
		d.need(wideMemories)
	default:
		d.unknown("representation of a resource", rep)
	}
	return &ResourceType{Dtor: d.optional("destructor")}
}

func (d *decoder) funcType() *FuncType {
	if d.byte() == 0x43 {
		d.need(async)
	}
	f := &FuncType{Params: list(d, "parameters", d.caps.Fields, d.field)}
	f.Result = d.funcResult()
	return f
}

func (d *decoder) funcResult() *TypeRef {
	if !d.flag("form of results") {
		return d.someType()
	}
	if c := d.byte(); c != 0 {
		d.unknown("list of results", c)
	}
	return nil
}

func (d *decoder) field() Field { return Field{Name: d.name(), Type: d.someType()} }

// typeRef reads a type of values: primitive, or an index.
func (d *decoder) typeRef() TypeRef {
	switch c := d.peek(); {
	case c >= 0x73 && c <= 0x7f:
		d.pos++
		return TypeRef{Prim: Prim(c)}
	case c == 0x64:
		d.pos++
		d.need(errorContext)
		return TypeRef{Prim: 0x7f} // the component is refused
	case c >= 0x40 && c < 0x80:
		d.pos++
		d.unknown("primitive type", c)
	}
	return TypeRef{Index: d.index()}
}

func (d *decoder) someType() *TypeRef {
	t := d.typeRef()
	return &t
}

func (d *decoder) optionalType(what string) *TypeRef {
	if !d.flag(what) {
		return nil
	}
	return d.someType()
}

func (d *decoder) valType() *ValType {
	c := d.byte()
	if c >= 0x73 && c <= 0x7f {
		return &ValType{Prim: Prim(c)}
	}
	t := &ValType{Kind: ValKind(c)}
	switch t.Kind {
	case Record:
		t.Fields = list(d, "fields", d.caps.Fields, d.field)
	case Variant:
		t.Fields = list(d, "cases", d.caps.Fields, d.variantCase)
	case Tuple:
		t.Fields = list(d, "elements", d.caps.Fields, func() Field { return Field{Type: d.someType()} })
	case Flags, Enum:
		t.Names = list(d, "names", d.caps.Fields, d.name)
	case List, Option:
		t.Elem = d.typeRef()
	case Result:
		t.OK, t.Err = d.optionalType("result"), d.optionalType("error of a result")
	case Own, Borrow:
		t.Index = d.u32()
	default:
		d.laterType(c)
	}
	return t
}

func (d *decoder) variantCase() Field {
	f := Field{Name: d.name(), Type: d.optionalType("type of a case")}
	if c := d.byte(); c != 0 {
		d.unknown("end of a case", c)
	}
	return f
}

// laterType reads types that came after WASI 0.2.
func (d *decoder) laterType(c byte) {
	switch c {
	case 0x67:
		d.need(fixedLists)
		d.typeRef()
		d.u32()
	case 0x66:
		d.need(streams)
		d.optionalType("element of a stream")
	case 0x65:
		d.need(futures)
		d.optionalType("value of a future")
	case 0x64:
		d.need(errorContext)
	case 0x63:
		d.need(maps)
		d.typeRef()
		d.typeRef()
	default:
		d.unknown("form of types", c)
	}
}

// decls reads what a type of components, or else of instances, declares.
func (d *decoder) decls(component bool) []Decl {
	d.deeper()
	defer d.up()
	if d.err != nil {
		return nil
	}
	return list(d, "declarations", d.caps.Space, func() Decl {
		return Decl{Offset: d.here(), Is: d.decl(component)}
	})
}

func (d *decoder) decl(component bool) any {
	switch c := d.byte(); {
	case c == 0x00:
		return d.coreType()
	case c == 0x01:
		return d.typeDef()
	case c == 0x02:
		return d.alias()
	case c == 0x03 && component:
		return d.imported()
	case c == 0x04:
		name, attrs := d.externName()
		return &ExportDecl{Name: name, Attributes: attrs, Desc: d.desc()}
	default:
		d.unknown("declaration of a type", c)
		return nil
	}
}

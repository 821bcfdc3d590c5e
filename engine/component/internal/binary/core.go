package binary

import "github.com/realm-mesh/realm/engine/internal/wasm"

// coreSort reads a sort of core definitions.
func (d *decoder) coreSort() Sort {
	switch c := d.byte(); c {
	case 0x00:
		return CoreFunc
	case 0x01:
		return CoreTable
	case 0x02:
		return CoreMemory
	case 0x03:
		return CoreGlobal
	case 0x04:
		d.need(tags)
		return CoreFunc // the component is refused
	case 0x10:
		return CoreType
	case 0x11:
		return CoreModule
	case 0x12:
		return CoreInstance
	default:
		d.unknown("sort of core definitions", c)
		return 0
	}
}

func (d *decoder) coreInst() *CoreInst {
	i := &CoreInst{}
	switch c := d.byte(); c {
	case 0x00:
		i.Module = d.u32()
		i.Args = list(d, "arguments", d.caps.Space, d.coreArg)
	case 0x01:
		i.Inline = true
		i.Exports = list(d, "exports", d.caps.Space, func() CoreExport {
			return CoreExport{Name: d.name(), Ref: Ref{Sort: d.coreSort(), Index: d.u32()}}
		})
	default:
		d.unknown("form of core instances", c)
	}
	return i
}

func (d *decoder) coreArg() CoreArg {
	a := CoreArg{Name: d.name()}
	if c := d.byte(); c != 0x12 {
		d.unknown("sort of an argument of a core module", c)
	}
	a.Instance = d.u32()
	return a
}

// coreType reads a core type: a *CoreFuncType or *ModuleType.
func (d *decoder) coreType() any {
	switch c := d.byte(); c {
	case 0x60:
		return d.coreFuncType()
	case 0x50:
		return &ModuleType{Decls: list(d, "declarations", d.caps.Space, d.moduleDecl)}
	default:
		d.otherCoreType(c)
		return nil
	}
}

// otherCoreType refuses the forms of types that are not of functions.
func (d *decoder) otherCoreType(c byte) {
	switch c {
	case 0x00, 0x4e, 0x4f, 0x50, 0x5d, 0x5e, 0x5f:
		d.skip(gc)
	case 0x65:
		d.skip(threads)
	default:
		d.unknown("form of core types", c)
	}
}

func (d *decoder) coreFuncType() *CoreFuncType {
	return &CoreFuncType{wasm.FuncType{
		Params:  list(d, "parameters", d.caps.Core.Params, d.coreValueType),
		Results: list(d, "results", d.caps.Core.Params, d.coreValueType),
	}}
}

func (d *decoder) coreValueType() wasm.ValueType {
	c := d.byte()
	switch {
	case c >= 0x7b && c <= 0x7f, c == byte(wasm.FuncRef), c == byte(wasm.ExternRef):
	case c == 0x69, c == 0x74:
		d.need(tags)
	case c >= 0x63 && c <= 0x75:
		d.skip(gc)
	case d.err == nil:
		d.unknown("core value type", c)
	}
	return wasm.ValueType(c)
}

func (d *decoder) moduleDecl() ModuleDecl {
	m := ModuleDecl{Offset: d.here()}
	switch c := d.byte(); c {
	case 0x00:
		i := wasm.Import{Module: d.name(), Name: d.name()}
		d.externType(&i)
		m.Import = &i
	case 0x01:
		if c := d.byte(); c == 0x60 {
			m.Type = d.coreFuncType()
		} else {
			d.otherCoreType(c)
		}
	case 0x02:
		m.Outer = d.coreAlias()
	case 0x03:
		e := ModuleExport{Name: d.name()}
		d.externType(&e.Type)
		m.Export = &e
	default:
		d.unknown("declaration of a module type", c)
	}
	return m
}

func (d *decoder) coreAlias() *Alias {
	if c := d.byte(); c != 0x10 {
		d.unknown("sort of an alias in a module type", c)
	}
	if c := d.byte(); c != 0x01 {
		d.unknown("form of an alias in a module type", c)
	}
	return &Alias{Kind: AliasOuter, Sort: CoreType, Count: d.u32(), Index: d.u32()}
}

// externType reads what a module imports or exports.
func (d *decoder) externType(i *wasm.Import) {
	c := d.byte()
	i.Kind = wasm.ExternKind(c)
	switch i.Kind {
	case wasm.ExternFunc:
		i.Func = d.u32()
	case wasm.ExternTable:
		i.Table.Elem = d.coreValueType()
		if d.err == nil && !i.Table.Elem.Ref() {
			d.unknown("type of elements of a table", byte(i.Table.Elem))
		}
		i.Table.Limits = d.limits()
	case wasm.ExternMemory:
		i.Memory = d.limits()
	case wasm.ExternGlobal:
		i.Global = wasm.GlobalType{Type: d.coreValueType(), Mutable: d.mutable()}
	case 4:
		d.need(tags)
		d.byte()
		d.u32()
	default:
		d.unknown("kind of imports and exports of core modules", c)
	}
}

func (d *decoder) mutable() bool {
	if d.peek()&^1 == 2 {
		d.need(shared)
		return d.byte() == 3
	}
	return d.flag("mutability")
}

// limits reads those of a table or a memory.
func (d *decoder) limits() wasm.Limits {
	flags := d.byte()
	switch {
	case flags > 0xf:
		d.unknown("limits", flags)
	case flags&4 != 0:
		d.skip(wideMemories) // numbers are longer, then
	case flags&8 != 0:
		d.skip(pageSizes)
	case flags&2 != 0:
		d.need(shared)
	}
	l := wasm.Limits{Min: d.u32(), HasMax: flags&1 != 0}
	if l.HasMax {
		l.Max = d.u32()
	}
	return l
}

package valid

import (
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// ranges counts the index spaces of a component, as one who elaborates it does.
type ranges struct {
	t     testing.TB
	outer *ranges
	have  map[binary.Sort]uint32
}

// inRange checks of a component that was found valid that its indices are in range.
func inRange(t testing.TB, c *binary.Component) { (&ranges{t: t}).component(c) }

func (r *ranges) component(c *binary.Component) {
	r.have = map[binary.Sort]uint32{}
	for _, d := range c.Defs {
		r.def(d.Is)
	}
}

func (r *ranges) use(sort binary.Sort, i uint32) {
	if i >= r.have[sort] {
		r.t.Errorf("%s %d is used, there are %d", sort, i, r.have[sort])
	}
}

func (r *ranges) uses(sort binary.Sort, indices ...*uint32) {
	for _, i := range indices {
		if i != nil {
			r.use(sort, *i)
		}
	}
}

func (r *ranges) def(d any) {
	switch d := d.(type) {
	case *binary.Module:
		r.have[binary.CoreModule]++
	case *binary.CoreFuncType, *binary.ModuleType:
		r.have[binary.CoreType]++
	case *binary.Component:
		(&ranges{t: r.t, outer: r}).component(d)
		r.have[binary.ComponentSort]++
	case *binary.TypeDef:
		if t, ok := d.Is.(*binary.ResourceType); ok {
			r.uses(binary.CoreFunc, t.Dtor)
		}
		r.have[binary.Type]++
	case *binary.CoreInst:
		r.coreInst(d)
	case *binary.Inst:
		r.inst(d)
	case *binary.Alias:
		r.alias(d)
	case *binary.Canon:
		r.canon(d)
	case *binary.Import:
		r.desc(d.Desc)
		r.have[d.Desc.Sort]++
	case *binary.Export:
		r.use(d.Ref.Sort, d.Ref.Index)
		if d.Desc != nil {
			r.desc(*d.Desc)
		}
		r.have[d.Ref.Sort]++
	}
}

func (r *ranges) desc(d binary.Desc) {
	switch {
	case d.Sort == binary.CoreModule:
		r.use(binary.CoreType, d.Index)
	case !d.Resource:
		r.use(binary.Type, d.Index)
	}
}

func (r *ranges) coreInst(d *binary.CoreInst) {
	if !d.Inline {
		r.use(binary.CoreModule, d.Module)
	}
	for _, a := range d.Args {
		r.use(binary.CoreInstance, a.Instance)
	}
	for _, e := range d.Exports {
		r.use(e.Ref.Sort, e.Ref.Index)
	}
	r.have[binary.CoreInstance]++
}

func (r *ranges) inst(d *binary.Inst) {
	if !d.Inline {
		r.use(binary.ComponentSort, d.Component)
	}
	for _, a := range d.Args {
		r.use(a.Ref.Sort, a.Ref.Index)
	}
	for _, e := range d.Exports {
		r.use(e.Ref.Sort, e.Ref.Index)
	}
	r.have[binary.InstanceSort]++
}

func (r *ranges) alias(d *binary.Alias) {
	switch d.Kind {
	case binary.AliasExport:
		r.use(binary.InstanceSort, d.Instance)
	case binary.AliasCoreExport:
		r.use(binary.CoreInstance, d.Instance)
	default:
		o := r
		for range d.Count {
			o = o.outer
		}
		o.use(d.Sort, d.Index)
	}
	r.have[d.Sort]++
}

func (r *ranges) canon(d *binary.Canon) {
	made := binary.CoreFunc
	switch d.Op {
	case binary.Lift:
		r.use(binary.CoreFunc, d.Func)
		r.use(binary.Type, d.Type)
		made = binary.Func
	case binary.Lower:
		r.use(binary.Func, d.Func)
	default:
		r.use(binary.Type, d.Type)
	}
	r.uses(binary.CoreMemory, d.Options.Memory)
	r.uses(binary.CoreFunc, d.Options.Realloc, d.Options.PostReturn)
	r.have[made]++
}

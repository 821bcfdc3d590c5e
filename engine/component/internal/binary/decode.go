package binary

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

const (
	magic   = "\x00asm"
	version = "\x0d\x00"
	layer   = "\x01\x00"
	header  = len(magic + version + layer)
)

// Decode returns the component that b is, or an [*Error]. The component refers to b, which
// is not to be changed.
func Decode(b []byte, caps Caps) (*Component, error) {
	d := decoder{reader: reader{b: b}, caps: caps}
	if len(b) > caps.Bytes {
		return nil, &Error{Reason: fmt.Sprintf("the component has %d bytes, at most %d", len(b), caps.Bytes)}
	}
	c := d.component()
	if err := d.result(); err != nil {
		return nil, err
	}
	return c, nil
}

// decoder goes through a component once, from its first byte to its last.
type decoder struct {
	reader
	caps Caps

	depth, modules, components, items int

	bad          *Error   // what is wrong with a core module
	missing      []string // features
	firstMissing int
}

// component reads a component: all that is left of the reader.
func (d *decoder) component() *Component {
	d.header()
	if d.components++; d.components > d.caps.Components {
		d.fail("more than %d components", d.caps.Components)
	}
	d.deeper()
	defer d.up()
	c := &Component{Offset: d.base, Len: len(d.b)}
	for d.more() {
		at := d.pos
		id := d.byte()
		size := d.u32()
		body := reader{base: d.here(), b: d.take(size)}
		if d.err == nil {
			d.section(c, id, at, body)
		}
	}
	return c
}

func (d *decoder) header() {
	switch b := string(d.b[:min(len(d.b), header)]); {
	case b == magic+version+layer:
		d.pos = header
		return
	case len(b) < header || b[:4] != magic:
		d.fail("it is no WebAssembly: the first bytes are not those of a component")
	case b[6:] == "\x00\x00":
		d.failAt(4, "it is a core module, not a component")
	default:
		d.failAt(4, "it is no component of version 13: its version is %x", b[4:])
	}
	if d.depth == 0 {
		d.err.Cause = ErrNotComponent
	}
}

// deeper goes into a component, or a type of one. Up comes out again.
func (d *decoder) deeper() {
	if d.depth++; d.depth > d.caps.Depth {
		d.fail("components or types that are nested deeper than %d", d.caps.Depth)
	}
}

func (d *decoder) up() { d.depth-- }

// section reads a section with r, and all of it.
func (d *decoder) section(c *Component, id byte, at int, r reader) {
	read := d.sectionOf(id)
	if read == nil {
		d.failAt(at, "section %d is not known", id)
		return
	}
	outer := d.reader
	d.reader = r
	read(c)
	if d.more() {
		d.fail("section %d goes on after its end, by %d bytes", id, d.left())
	}
	if d.err != nil && !d.err.skip {
		outer.err = d.err
	}
	d.reader = outer
}

func (d *decoder) sectionOf(id byte) func(*Component) {
	switch id {
	case 0:
		return d.custom
	case 1:
		return d.module
	case 2:
		return each(d, "core instances", func() any { return d.coreInst() })
	case 3:
		return each(d, "core types", d.coreType)
	case 4:
		return func(c *Component) { c.add(d.base, d.component()) }
	case 5:
		return each(d, "instances", func() any { return d.inst() })
	case 6:
		return each(d, "aliases", func() any { return d.alias() })
	case 7:
		return each(d, "types", func() any { return d.typeDef() })
	case 8:
		return each(d, "canonical definitions", func() any { return d.canon() })
	case 9, 12:
		return func(*Component) { d.skip(values) }
	case 10:
		return each(d, "imports", func() any { return d.imported() })
	case 11:
		return each(d, "exports", func() any { return d.export() })
	}
	return nil
}

func (c *Component) add(offset int, is any) { c.Defs = append(c.Defs, Def{Offset: offset, Is: is}) }

// each reads a section that is a list of definitions.
func each(d *decoder, what string, read func() any) func(*Component) {
	return func(c *Component) {
		for range d.count(what, d.caps.Space) {
			at := d.here()
			is := read()
			if d.err != nil {
				return
			}
			c.add(at, is)
		}
	}
}

// count reads how many things of at least one byte each follow, at most limit.
func (d *decoder) count(what string, limit int) int {
	at := d.pos
	n := d.u32()
	switch {
	case int64(n) > int64(limit):
		d.failAt(at, "%d %s, at most %d", n, what, limit)
	case int64(n) > int64(d.left()):
		d.failAt(at, "it is cut short: %d %s are announced, %d bytes are left", n, what, d.left())
	case int64(n) > int64(d.caps.Items-d.items):
		d.failAt(at, "more than %d definitions, fields and arguments", d.caps.Items)
	default:
		d.items += int(n)
		return int(n)
	}
	return 0
}

// list reads a list of things.
func list[T any](d *decoder, what string, limit int, read func() T) []T {
	n := d.count(what, limit)
	if n == 0 {
		return nil
	}
	out := make([]T, 0, n)
	for range n {
		v := read()
		if d.err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

func (d *decoder) name() string { return d.string(d.caps.Name) }

func (d *decoder) custom(c *Component) {
	name := d.name()
	c.Custom = append(c.Custom, wasm.Custom{Name: name, Data: d.take(uint32(d.left()))})
}

// module reads a core module: the whole section. What is wrong in it does not keep the
// decoder from going on.
func (d *decoder) module(c *Component) {
	if d.modules++; d.modules > d.caps.Modules {
		d.fail("more than %d core modules", d.caps.Modules)
		return
	}
	code := d.take(uint32(d.left()))
	m, err := wasm.Decode(code, wasm.Features{ExtendedConst: true}, d.caps.Core)
	if wrong := new(wasm.Error); errors.As(err, &wrong) && d.bad == nil {
		d.bad = &Error{Offset: d.base + wrong.Offset, Cause: err,
			Reason: fmt.Sprintf("core module %d: %s", d.modules-1, describe(wrong))}
	}
	c.add(d.base, &Module{Code: code, Module: m})
}

// describe leaves out the position, which the error about the component has.
func describe(e *wasm.Error) string {
	switch {
	case e.Instr != "":
		return fmt.Sprintf("function %d: %s: %s", e.Func, e.Instr, e.Reason)
	case e.Func >= 0:
		return fmt.Sprintf("function %d: %s", e.Func, e.Reason)
	}
	return e.Reason
}

package engine

import (
	"bytes"
	"fmt"

	"github.com/realm-mesh/realm/engine/component"
	"github.com/realm-mesh/realm/engine/meter"
)

// Program is a file that was read: a core module or a component.
type Program struct {
	core      *meter.Module
	component *component.Parsed // nil: it is a core module
}

// Parse decodes and validates a program, before anything else sees it. It takes time and
// memory in proportion to its length, whoever made it. Its Instrument gives what [Compile]
// and [Engine.Load] take. Errors are those of [meter.Parse] and of [component.Parse].
func Parse(wasm []byte) (*Program, error) {
	if IsComponent(wasm) {
		c, err := component.Parse(wasm, caps())
		if err != nil {
			return nil, err
		}
		return &Program{component: c}, nil
	}
	caps := caps()
	m, err := meter.Parse(wasm, meter.Options{Features: meter.Features{ExtendedConst: true}, Caps: &caps, Image: true})
	if err != nil {
		return nil, err
	}
	// The host could not tell which instance calls a function of its own that it exports.
	if name, is := m.Passes(); is {
		return nil, fmt.Errorf("export %q is a function that the module imports: have one of its own call it", name)
	}
	return &Program{core: m}, nil
}

// IsComponent reports whether wasm begins as components do, of whatever version.
func IsComponent(wasm []byte) bool {
	return len(wasm) >= 8 && bytes.HasPrefix(wasm, []byte("\x00asm")) && bytes.Equal(wasm[6:8], []byte{1, 0})
}

// Instrument returns the unit of the program: its core modules with meters, and what their
// memories begin with.
func (p *Program) Instrument() []byte {
	if p.component == nil {
		return pack([]part{{p.core.Instrument(), p.core.Image()}})
	}
	images := p.component.Images()
	var parts []part
	for i, code := range p.component.Instrument() {
		parts = append(parts, part{code, images[i]})
	}
	return pack(parts)
}

// Shape returns the shape of the program.
func (p *Program) Shape() Shape {
	if p.component != nil {
		return Shape{Component: p.component.Component}
	}
	return Shape{Shape: p.core.Shape()}
}

// Shape is what can be told of a program from outside. It does not refer to its bytes.
type Shape struct {
	meter.Shape                      // of a core module
	Component   *component.Component // nil: it is a core module
}

// Size is how many bytes the memories, the tables and the globals of a new instance take,
// together.
func (s *Shape) Size() int64 {
	if s.Component != nil {
		return s.Component.Size()
	}
	return s.Shape.Size()
}

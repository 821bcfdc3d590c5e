package component

import (
	"fmt"
	"strconv"

	"github.com/realm-mesh/realm/engine/component/internal/elab"
	"github.com/realm-mesh/realm/engine/meter"
)

// Component is a component that was read. It is not changed, and does not refer to the
// bytes that it was read from.
type Component struct {
	plan    *elab.Plan
	sizes   []size // of instances of the modules of plan
	size    int64  // of an instance of all
	most    int64  // that its memories may grow to; 0: they do not say
	missing []string
	run     *elab.Func // what wasi:cli/run exports; nil: it does not
	handle  *elab.Func // likewise wasi:http/incoming-handler
}

// Parsed is a component, and the core modules that it is made of.
type Parsed struct {
	*Component
	modules []*meter.Module
}

// size is what an instance of a core module takes.
type size struct {
	memory int64  // bytes of its own memory
	bytes  int64  // beside it: tables and globals, and what the host has of each instance
	fuel   uint64 // to make it
}

// Bytes that the host has of an instance, about: of itself, and of each import and segment.
const (
	instanceBytes = 4 << 10
	importBytes   = 80
	segmentBytes  = 24
)

func sizeOf(s *meter.Shape) size {
	own := s.TableSize()
	rest := instanceBytes + int64(len(s.Imports))*importBytes + int64(s.Segments)*segmentBytes
	return size{memory: s.Size() - own, bytes: own + rest, fuel: uint64(own+rest+s.Data) / meter.BytesPerFuel}
}

// Parse reads a component, which may come from anybody; each of its core modules is held
// against caps, and all of them together.
func Parse(b []byte, caps meter.Caps) (*Parsed, error) {
	tree, err := read(b)
	if err != nil {
		return nil, err
	}
	in, err := host()
	if err != nil {
		return nil, err
	}
	plan, modules, err := elab.Elaborate(tree, in.resource, elab.DefaultCaps())
	if err != nil {
		return nil, err
	}
	c := &Component{plan: plan, missing: in.missing(plan)}
	c.run, c.handle = in.entry(plan, runEntry), in.entry(plan, handleEntry)
	p := &Parsed{Component: c}
	if len(c.missing) > 0 {
		return p, nil // it cannot run, and its core modules may import what is not there
	}
	return p, p.meter(modules, caps)
}

// meter gives meters to the core modules.
func (p *Parsed) meter(modules []*elab.Module, caps meter.Caps) error {
	var shapes []meter.Shape
	for i, m := range modules {
		core, err := meter.Parse(m.Code, meter.Options{Features: meter.Features{ExtendedConst: true}, Caps: &caps, Linked: true,
			Stack: p.stack(), Rename: renaming(m), Image: true})
		if err != nil {
			return fmt.Errorf("core module %d of it: %w", i, err)
		}
		shape := core.Shape()
		p.modules, shapes = append(p.modules, core), append(shapes, shape)
		p.sizes = append(p.sizes, sizeOf(&shape))
	}
	return p.measure(shapes, caps)
}

// Bytes that frames of calls may take: in one core module, and in all together, unless there are
// very many.
const (
	maxStack  = 1 << 20
	allStacks = 8 << 20
	minStack  = 32 << 10
)

// stack is how many bytes each core instance has for frames.
func (p *Parsed) stack() int64 {
	return max(minStack, min(maxStack, allStacks/int64(max(1, len(p.plan.Steps)))))
}

// measure adds up what an instance has.
func (p *Parsed) measure(shapes []meter.Shape, caps meter.Caps) error {
	elements, bounded := 0, true
	for _, step := range p.plan.Steps {
		s := &shapes[step.Module]
		p.size += p.sizes[step.Module].memory + p.sizes[step.Module].bytes
		most, ok := s.MostMemory()
		p.most += most
		bounded = bounded && ok
		if elements += s.Elements; elements > caps.Elements {
			return fmt.Errorf("its core modules have more than %d elements together", caps.Elements)
		}
	}
	if !bounded {
		p.most = 0
	}
	return nil
}

// Names of modules that core modules import from: the host's, and for each slot of a step
// slotPrefix and its number.
const (
	hostModule = "host"
	slotPrefix = "slot"
)

// renaming gives imports the names by which they are found at run time.
func renaming(m *elab.Module) func(int) (string, string) {
	return func(i int) (module, name string) {
		s := m.Imports[i]
		if s.Slot < 0 {
			return hostModule, strconv.Itoa(s.Host)
		}
		return slotPrefix + strconv.Itoa(s.Slot), s.Name
	}
}

// Instrument returns the core modules with meters, as [Component.Link] wants them compiled.
func (p *Parsed) Instrument() (out [][]byte) {
	for _, m := range p.modules {
		out = append(out, m.Instrument())
	}
	return out
}

// Images are what the memories of these modules begin with: see [Host.Memory].
func (p *Parsed) Images() (out [][]meter.Segment) {
	for _, m := range p.modules {
		out = append(out, m.Image())
	}
	return out
}

// Size is how many bytes a new instance takes: its memories, tables and globals, and what the
// host has of its core modules.
func (c *Component) Size() int64 { return c.size }

// Missing lists what the component needs and the host does not give: with any of it there
// are no core modules, and it cannot run.
func (c *Component) Missing() []string { return c.missing }

// MostMemory is how many bytes the memories of an instance may grow to together; 0: they
// do not say.
func (c *Component) MostMemory() int64 { return c.most }

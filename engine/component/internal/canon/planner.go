package canon

import (
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// Limits of the canonical ABI.
const (
	maxFlatParams  = 16
	maxFlatResults = 1
	maxSize        = 1<<28 - 1 // of a value, a string or a list in memory, bytes
)

// Limits of ours.
const (
	maxDepth = 100 // of types within types, as other hosts have it
	maxCases = 1 << 24
	maxFlags = 32
)

// Planner lays out the functions of a component. What it returns is never changed. It is
// used by one goroutine at a time.
type Planner struct {
	layouts map[*wit.Type]*layout
}

// NewPlanner returns a Planner.
func NewPlanner() *Planner { return &Planner{layouts: map[*wit.Type]*layout{}} }

// Func lays out a function. It fails if a type of it has no layout, or one too large.
func (p *Planner) Func(t *wit.Func) (*Func, error) {
	params := make([]slot, len(t.Params))
	for i, f := range t.Params {
		l, err := p.of(f.Type, 0)
		if err != nil {
			return nil, fmt.Errorf("lay out parameter %q: %w", f.Name, err)
		}
		params[i] = slot{name: f.Name, layout: l}
	}
	fn := &Func{}
	if !fn.params.record(params) {
		return nil, errors.New("lay out parameters: together they are too large")
	}
	if t.Result == nil {
		return fn, nil
	}
	l, err := p.of(t.Result, 0)
	if err != nil {
		return nil, fmt.Errorf("lay out result: %w", err)
	}
	if l.borrows {
		return nil, errors.New("lay out result: it holds a borrow")
	}
	fn.result = l
	return fn, nil
}

func (p *Planner) of(t *wit.Type, level int) (*layout, error) {
	if t == nil {
		return nil, errors.New("a type is missing")
	}
	if l := p.layouts[t]; l != nil {
		return l, nil
	}
	if level > maxDepth {
		return nil, fmt.Errorf("types are nested deeper than %d", maxDepth)
	}
	l, err := p.make(t, level)
	if err != nil {
		return nil, err
	}
	if l.depth > maxDepth {
		return nil, fmt.Errorf("types are nested deeper than %d", maxDepth)
	}
	p.layouts[t] = l
	return l, nil
}

func (p *Planner) make(t *wit.Type, level int) (*layout, error) {
	l := &layout{kind: t.Kind}
	switch t.Kind {
	case wit.Bool, wit.S8, wit.U8:
		return l.sized(1, api.ValueTypeI32), nil
	case wit.S16, wit.U16:
		return l.sized(2, api.ValueTypeI32), nil
	case wit.S32, wit.U32, wit.Char:
		return l.sized(4, api.ValueTypeI32), nil
	case wit.S64, wit.U64:
		return l.sized(8, api.ValueTypeI64), nil
	case wit.F32:
		return l.sized(4, api.ValueTypeF32), nil
	case wit.F64:
		return l.sized(8, api.ValueTypeF64), nil
	case wit.String:
		return l.pointed(), nil
	case wit.Enum:
		l.count = uint32(min(len(t.Names), maxCases+1))
		return l.sized(discSize(l.count), api.ValueTypeI32), counted("an enum", len(t.Names), maxCases)
	case wit.Flags:
		l.count = uint32(min(len(t.Names), maxFlags+1))
		return l.sized(flagsSize(l.count), api.ValueTypeI32), counted("flags", len(t.Names), maxFlags)
	case wit.Own, wit.Borrow:
		if t.Resource == nil {
			return nil, errors.New("a handle is of no resource")
		}
		l.sized(4, api.ValueTypeI32)
		l.res, l.borrows, l.scalar = t.Resource, t.Kind == wit.Borrow, false
		return l, nil
	}
	return p.compound(l, t, level+1)
}

func (p *Planner) compound(l *layout, t *wit.Type, level int) (*layout, error) {
	var fits bool
	switch t.Kind {
	case wit.List:
		elem, err := p.of(t.Elem, level)
		if err != nil {
			return nil, err
		}
		l.holds(elem)
		l.elem = elem
		return l.pointed(), nil
	case wit.Record, wit.Tuple:
		fields, err := p.fields(t.Fields, level)
		if err != nil {
			return nil, err
		}
		fits = l.record(fields)
	case wit.Variant, wit.Option, wit.Result:
		cases, err := p.cases(t, level)
		if err != nil {
			return nil, err
		}
		fits = l.variant(cases)
	default:
		return nil, fmt.Errorf("there is no type of kind %d", t.Kind)
	}
	if !fits {
		return nil, fmt.Errorf("a type takes more than %d bytes", maxSize)
	}
	return l, nil
}

func (p *Planner) fields(of []wit.Field, level int) ([]slot, error) {
	if len(of) == 0 {
		return nil, errors.New("a record or tuple has no fields")
	}
	out := make([]slot, len(of))
	for i, f := range of {
		l, err := p.of(f.Type, level)
		if err != nil {
			return nil, err
		}
		out[i] = slot{name: f.Name, layout: l}
	}
	return out, nil
}

func (p *Planner) cases(t *wit.Type, level int) ([]slot, error) {
	var of []wit.Case
	switch t.Kind {
	case wit.Option:
		if t.Elem == nil {
			return nil, errors.New("an option is of no type")
		}
		of = []wit.Case{{Name: "none"}, {Name: "some", Type: t.Elem}}
	case wit.Result:
		of = []wit.Case{{Name: "ok", Type: t.OK}, {Name: "error", Type: t.Err}}
	default:
		of = t.Cases
	}
	if err := counted("a variant", len(of), maxCases); err != nil {
		return nil, err
	}
	out := make([]slot, len(of))
	for i, c := range of {
		out[i].name = c.Name
		if c.Type == nil {
			continue
		}
		l, err := p.of(c.Type, level)
		if err != nil {
			return nil, err
		}
		out[i].layout = l
	}
	return out, nil
}

func counted(what string, n, most int) error {
	if n == 0 || n > most {
		return fmt.Errorf("%s has %d names, want 1 to %d", what, n, most)
	}
	return nil
}

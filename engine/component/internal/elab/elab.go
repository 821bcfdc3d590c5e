package elab

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// Caps bound a plan, and what it takes to make it.
type Caps struct {
	Steps     int // core instances
	Instances int // of components
	Hosts     int // functions of the host
	Calls     int // of them, those that lead from one component into another: each takes a stack
	Items     int // exports of core instances that are used
	Resources int // that are defined, in each instance anew
	Depth     int // of instances within each other
	// Copies are bytes of the core modules that are needed more than once, since their imports
	// are satisfied in several ways.
	Copies int
	// Work is how many definitions, declarations and imports are gone through; a long name
	// counts as several.
	Work int
}

// DefaultCaps are far above what toolchains emit: the components of StarlingMonkey have 4
// steps, 2 instances and 200 functions.
func DefaultCaps() Caps {
	return Caps{Steps: 200, Instances: 500, Hosts: 5_000, Calls: 1_000, Items: 20_000, Resources: 1_000, Depth: 50, Copies: 16 << 20, Work: 300_000}
}

// ErrTooComplex says that a plan is beyond its caps.
var ErrTooComplex = errors.New("the component is too complex")

// Resources tells the resource by which the host knows one of an interface (without its
// version); nil: it has none.
type Resources func(iface, name string) *wit.Resource

// Elaborate works out the plan of a valid component, and the modules that its steps speak
// of. Of a component that instantiates what is foreign it has what comes before that. The error
// is [ErrTooComplex].
func Elaborate(c *binary.Component, host Resources, caps Caps) (*Plan, []*Module, error) {
	e := &elaboration{caps: caps, host: host, items: map[Item]*Item{}, names: map[string]int{}, like: map[string]int{}, numbers: map[*binary.Module]int{}}
	if err := e.run(c); err != nil {
		return nil, nil, err
	}
	return &e.plan, e.modules, nil
}

// elaboration makes a plan.
type elaboration struct {
	plan    Plan
	caps    Caps
	host    Resources
	items   map[Item]*Item // of the plan, by what they are
	modules []*Module
	names   map[string]int // numbers of names of exports
	like    map[string]int // numbers of modules, by what they are
	numbers map[*binary.Module]int

	work, copies, resources, calls int
}

// exceeded is panicked with where caps are.
type exceeded struct{ what string }

// foreign is panicked with where something is instantiated that no host has: whatever follows
// may depend on it.
type foreign struct{}

func (e *elaboration) run(c *binary.Component) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil, foreign:
		case exceeded:
			err = fmt.Errorf("%w: %s", ErrTooComplex, p.what)
		default:
			panic(p)
		}
	}()
	s := e.instantiate(&component{c, nil}, nil, nil, 0)
	e.plan.Exports = e.exports(&s.out, 0)
	return nil
}

// spend counts work.
func (e *elaboration) spend(n int) {
	if e.work += n; e.work > e.caps.Work {
		panic(exceeded{"it is nested or repeated too often"})
	}
}

// wordBytes is how much of a name is worth a definition.
const wordBytes = 256

// spell counts the work of looking a name up.
func (e *elaboration) spell(name string) { e.spend(len(name) / wordBytes) }

func (e *elaboration) limit(n, most int, what string) {
	if n >= most {
		panic(exceeded{fmt.Sprintf("it has more than %d %s", most, what)})
	}
}

// exports are those of an instance.
func (e *elaboration) exports(i *instance, depth int) (out []Export) {
	e.limit(depth, e.caps.Depth, "levels of instances")
	for _, name := range i.names {
		e.spend(1)
		e.spell(name)
		x := Export{Name: name}
		switch v := i.items[name].value.(type) {
		case *Func:
			x.Func = v
		case *instance:
			x.Instance = e.exports(v, depth+1)
		case *wit.Type:
			x.Type = v
		case *wit.Resource:
			x.Resource = v
		}
		out = append(out, x)
	}
	return out
}

// item returns the item of the plan that is like i.
func (e *elaboration) item(i Item) *Item {
	e.spell(i.Name)
	known, ok := e.items[i]
	if !ok {
		e.limit(len(e.plan.Items), e.caps.Items, "exports of core modules in use")
		known = &Item{len(e.plan.Items), i.Step, i.Name, i.Host}
		e.items[i] = known
		e.plan.Items = append(e.plan.Items, known)
	}
	return known
}

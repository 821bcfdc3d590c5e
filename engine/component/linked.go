package component

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/internal/elab"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// Linked is a component in a runtime.
type Linked struct {
	*Component
	runtime  wazero.Runtime
	compiled []wazero.CompiledModule // by number of module
	host     api.Module
	hosts    []hostFunc                 // as in the plan
	lifted   map[*elab.Func]*canon.Func // that are called: entries, and those between components in it
	binds    [][]bind                   // of resources that the component defines: from the begin, and from each step on
	dtors    map[*wit.Resource]func(context.Context, uint32) error
	config   wazero.ModuleConfig
}

// hostFunc is a function of the host, laid out.
type hostFunc struct {
	*elab.Host
	layout *canon.Func
	do     wasi.Function // of one of WASI
}

// bind is a resource, and the instance that defines it.
type bind struct {
	*elab.Resource
	instance int
}

// Link makes c ready to be instantiated in a runtime, which is for this component alone:
// compiled are its modules, as [Parsed.Instrument] gave them. The runtime must have what
// meters import (meter.Define).
func (c *Component) Link(ctx context.Context, r wazero.Runtime, compiled []wazero.CompiledModule) (*Linked, error) {
	if len(compiled) != len(c.sizes) || len(c.missing) > 0 {
		return nil, fmt.Errorf("link component: it has %d core modules, not %d", len(c.sizes), len(compiled))
	}
	l := &Linked{Component: c, runtime: r, compiled: compiled, lifted: map[*elab.Func]*canon.Func{},
		config: wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)} // else each instance seeds one, although none uses it
	if err := l.layOut(); err != nil {
		return nil, fmt.Errorf("link component: %w", err)
	}
	if err := l.define(ctx); err != nil {
		return nil, fmt.Errorf("link component: %w", err)
	}
	return l, nil
}

// layOut lays out all functions of the plan.
func (l *Linked) layOut() error {
	var err error
	if l.dtors, err = destructors(); err != nil {
		return err
	}
	l.binds = make([][]bind, len(l.plan.Steps)+1)
	for n, i := range l.plan.Instances {
		for _, r := range i.Resources {
			from := 0
			if r.Dtor != nil {
				from = r.Dtor.Step + 1
			}
			l.binds[from] = append(l.binds[from], bind{r, n})
		}
	}
	p := canon.NewPlanner()
	for _, h := range l.plan.Hosts {
		f := hostFunc{Host: h}
		if h.Op == binary.Lower {
			if f.layout, err = p.Func(h.Func.Type); err != nil {
				return err
			}
			if !h.Func.Imported() {
				l.lifted[h.Func] = f.layout
			} else if f.do, err = function(h.Func); err != nil {
				return err
			}
		}
		l.hosts = append(l.hosts, f)
	}
	for _, f := range []*elab.Func{l.run, l.handle} {
		if f == nil {
			continue
		}
		if l.lifted[f], err = p.Func(f.Type); err != nil {
			return err
		}
	}
	return nil
}

// function is what WASI has for f.
func function(f *elab.Func) (wasi.Function, error) {
	if do := functions()[f.Interface][f.Name]; do != nil {
		return do, nil
	}
	return nil, fmt.Errorf("function %s of %s has no implementation", f.Name, f.Interface)
}

// define makes the module of the host that the core modules import.
func (l *Linked) define(ctx context.Context) (err error) {
	b := l.runtime.NewHostModuleBuilder(hostModule)
	for i := range l.hosts {
		params, results := l.hosts[i].signature()
		call := api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			if err := of(ctx).imported(ctx, i, m, stack); err != nil {
				panic(err) // which ends the guest: wazero returns it from the call
			}
		})
		b.NewFunctionBuilder().WithGoModuleFunction(call, params, results).Export(strconv.Itoa(i))
	}
	l.host, err = b.Instantiate(ctx)
	return err
}

// signature is the type of the core function.
func (f *hostFunc) signature() (params, results []api.ValueType) {
	index := []api.ValueType{api.ValueTypeI32}
	switch f.Op {
	case binary.Lower:
		return f.layout.Lower()
	case binary.ResourceDrop:
		return index, nil
	default:
		return index, index
	}
}

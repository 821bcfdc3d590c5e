package component

import (
	"context"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/internal/elab"
	"github.com/realm-mesh/realm/engine/wasi"
)

// Host is what an instance runs on. Its methods are called from the goroutine of the
// instance.
type Host interface {
	canon.Meter
	// Room is asked for room for what an instance of a core module takes beside its memory, in
	// bytes, and whether there is room for its memory, too, which asks by itself later.
	Room(bytes, memory int64) error
	// Memory is what gives an instance of a core module its memory, which must begin with
	// the module's image ([Parsed.Images]).
	Memory(module int) experimental.MemoryAllocator
	// Made is told of a core instance that was made, before it is called.
	Made(m api.Module)
	// Begin is called before a function of the host does anything, and End before the core
	// module that called it goes on, unless the guest is to end.
	Begin(ctx context.Context) error
	End(ctx context.Context, m api.Module)
	// Enter and Leave enclose what WASI does.
	Enter()
	Leave(ctx context.Context)
}

// Instance is an instance of a component. It is used by one goroutine at a time.
type Instance struct {
	linked    *Linked
	host      Host
	guest     *wasi.Guest
	store     *canon.Store
	instances []*canon.Instance // as in the plan, likewise
	modules   []api.Module
	items     []api.Function
	lowered   []*canon.Lowered
}

// limits of what values and handles of an instance take of the host's memory.
const (
	maxValues  = 16 << 20 // bytes, of one call
	maxHandles = 100_000
)

// New makes an instance: its core modules are instantiated, which may run code of theirs.
// The context must be one that the meters of the guest are told by. The guest of WASI stays
// the caller's, to be closed after the instance.
func (l *Linked) New(ctx context.Context, h Host, g *wasi.Guest) (*Instance, error) {
	i := &Instance{linked: l, host: h, guest: g,
		store:     canon.NewStore(canon.Config{Meter: h, Bytes: maxValues, Handles: maxHandles, Host: l.dtors}),
		instances: make([]*canon.Instance, len(l.plan.Instances)),
		modules:   make([]api.Module, 0, len(l.plan.Steps)),
		items:     make([]api.Function, len(l.plan.Items)),
		lowered:   make([]*canon.Lowered, len(l.hosts)),
	}
	for n, part := range l.plan.Instances {
		var parent *canon.Instance
		if part.Parent != nil {
			parent = i.instances[part.Parent.Index]
		}
		i.instances[n] = i.store.NewInstance(parent)
	}
	ctx = i.context(ctx)
	i.bind(-1)
	for n, s := range l.plan.Steps {
		if err := i.step(ctx, s); err != nil {
			i.Close(ctx)
			return nil, err
		}
		i.bind(n)
	}
	return i, nil
}

// step makes one core instance.
func (i *Instance) step(ctx context.Context, s elab.Step) error {
	l := i.linked
	size := &l.sizes[s.Module]
	if err := i.host.Room(size.bytes, size.memory); err != nil {
		return err
	}
	if err := i.host.Charge(ctx, size.fuel); err != nil {
		return err
	}
	ctx = experimental.WithMemoryAllocator(ctx, i.host.Memory(s.Module))
	ctx = experimental.WithImportResolver(ctx, func(name string) api.Module {
		slot, is := strings.CutPrefix(name, slotPrefix)
		if !is {
			return nil // it is found by its name
		}
		n, err := strconv.Atoi(slot)
		if err != nil || n >= len(s.Slots) {
			return nil
		}
		return i.modules[s.Slots[n]]
	})
	m, err := l.runtime.InstantiateModule(ctx, l.compiled[s.Module], l.config)
	if err != nil {
		return err
	}
	i.modules = append(i.modules, m)
	i.host.Made(m)
	return nil
}

// bind tells the store of the resources whose destructors are there from a step on.
func (i *Instance) bind(step int) {
	for _, r := range i.linked.binds[step+1] {
		i.instances[r.instance].Define(r.Resource.Resource, i.function(r.Dtor))
	}
}

type instanceKey struct{}

// context is for calls of the guest.
func (i *Instance) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, instanceKey{}, i)
}

// of is the instance that a call is made in.
func of(ctx context.Context) *Instance {
	return ctx.Value(instanceKey{}).(*Instance) //nolint:forcetypeassert // all calls are made with [Instance.context]
}

// function is what an item stands for; nil for nil.
func (i *Instance) function(item *elab.Item) api.Function {
	if item == nil {
		return nil
	}
	f := i.items[item.Index]
	if f == nil {
		if item.Step < 0 {
			f = &builtin{in: i, n: item.Host}
		} else {
			f = canon.Export(i.modules[item.Step], item.Name)
		}
		i.items[item.Index] = f
	}
	return f
}

// builtin is a function of the host that is called by none of the core modules.
type builtin struct {
	api.Function // nobody asks for more than is below

	in *Instance
	n  int
}

// CallWithStack implements [api.Function].
func (b *builtin) CallWithStack(ctx context.Context, stack []uint64) error {
	return b.in.imported(ctx, b.n, b.in.linked.host, stack)
}

func (i *Instance) options(o *elab.Options) canon.Options {
	out := canon.Options{Encoding: canon.Encoding(o.Encoding), Realloc: i.function(o.Realloc), PostReturn: i.function(o.PostReturn)}
	if o.Memory != nil {
		out.Memory = i.modules[o.Memory.Step].ExportedMemory(o.Memory.Name)
	}
	return out
}

// lift is a function that the component exports, or one of those within it.
func (i *Instance) lift(f *elab.Func) *canon.Lifted {
	return &canon.Lifted{Func: i.linked.lifted[f], Instance: i.instances[f.Instance.Index], Options: i.options(&f.Options), Core: i.function(f.Core)}
}

// lower is a function that core modules import.
func (i *Instance) lower(n int) *canon.Lowered {
	if l := i.lowered[n]; l != nil {
		return l
	}
	h := &i.linked.hosts[n]
	l := &canon.Lowered{Func: h.layout, Instance: i.instances[h.Instance.Index], Options: i.options(&h.Options)}
	if h.Func.Imported() {
		l.Callee = &hostCall{i, h.do}
	} else {
		l.Callee = i.lift(h.Func)
	}
	i.lowered[n] = l
	return l
}

// hostCall is a function of WASI, for one guest.
type hostCall struct {
	in *Instance
	do wasi.Function
}

// Call implements [canon.Callee].
func (c *hostCall) Call(ctx context.Context, args []any) (any, error) {
	c.in.host.Enter()
	defer c.in.host.Leave(ctx)
	return c.do(ctx, c.in.guest, args)
}

// imported is function n of the host, called by a core module.
func (i *Instance) imported(ctx context.Context, n int, m api.Module, stack []uint64) error {
	if err := i.host.Begin(ctx); err != nil {
		return err
	}
	if err := i.do(ctx, n, stack); err != nil {
		return err
	}
	i.host.End(ctx, m)
	return nil
}

func (i *Instance) do(ctx context.Context, n int, stack []uint64) error {
	h := &i.linked.hosts[n]
	if h.Op == binary.Lower {
		return i.lower(n).Call(ctx, stack)
	}
	in, index := i.instances[h.Instance.Index], uint32(stack[0])
	var err error
	switch h.Op {
	case binary.ResourceNew:
		index, err = in.NewResource(ctx, h.Resource, index)
	case binary.ResourceRep:
		index, err = in.Rep(ctx, h.Resource, index)
	case binary.ResourceDrop:
		return in.Drop(ctx, h.Resource, index)
	}
	stack[0] = uint64(index)
	return err
}

// Close frees what the instance has, but for its guest of WASI. No call may be under way.
func (i *Instance) Close(ctx context.Context) {
	i.store.Close(i.context(ctx))
	for n := len(i.modules) - 1; n >= 0; n-- {
		_ = i.modules[n].Close(ctx) // it frees memory of this process alone
	}
}

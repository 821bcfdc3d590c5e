package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// Instance is a component instance.
type Instance struct {
	store    *Store
	parent   *Instance
	level    int // how many ancestors it has
	table    table
	entered  bool // a call is in it, or a call failed in it
	poisoned bool // a call failed in it
	confined bool // it may not leave: it runs realloc or post-return
}

// NewInstance adds a component instance. Parent is the one that it is instantiated
// within; nil: the outermost.
func (s *Store) NewInstance(parent *Instance) *Instance {
	i := &Instance{store: s, parent: parent}
	if parent != nil {
		i.level = parent.level + 1
	}
	s.instances = append(s.instances, i)
	return i
}

// Define makes i the one that defines r. Its destructor may be nil; see [Export] for
// which functions may be it.
func (i *Instance) Define(r *wit.Resource, dtor api.Function) {
	if i.store.resources == nil {
		i.store.resources = map[*wit.Resource]resource{}
	}
	i.store.resources[r] = resource{i, dtor}
}

// common is the innermost instance that both i and other are, or are within; nil: none.
func (i *Instance) common(other *Instance) *Instance {
	if other == nil {
		return nil
	}
	for i != other { // outermost ones have no parent: both end at nil
		deeper := i.level - other.level
		if deeper >= 0 {
			i = i.parent
		}
		if deeper <= 0 {
			other = other.parent
		}
	}
	return i
}

func (i *Instance) mayLeave() error {
	if i.confined {
		return trap("realloc, post-return or what they call called an import")
	}
	return nil
}

// NewResource is resource.new: i, which defines r, has an own of rep from now on.
func (i *Instance) NewResource(ctx context.Context, r *wit.Resource, rep uint32) (index uint32, err error) {
	if err := i.builtin(ctx); err != nil {
		return 0, err
	}
	return i.add(handle{res: r, rep: rep, own: true})
}

// Rep is resource.rep: what i, which defines r, gave it as its rep.
func (i *Instance) Rep(ctx context.Context, r *wit.Resource, index uint32) (rep uint32, err error) {
	if err := i.store.charge(ctx, handleFuel); err != nil {
		return 0, err
	}
	h, err := i.table.get(index, r)
	if err != nil {
		return 0, err
	}
	return h.rep, nil
}

// Drop is resource.drop: an own's destructor runs.
func (i *Instance) Drop(ctx context.Context, r *wit.Resource, index uint32) error {
	if err := i.builtin(ctx); err != nil {
		return err
	}
	h, err := i.take(index, r)
	if err != nil {
		return err
	}
	if h.own {
		return i.store.destroy(ctx, i, r, h.rep)
	}
	h.scope.borrows--
	return nil
}

// builtin begins a canonical function that has i leave.
func (i *Instance) builtin(ctx context.Context) error {
	if err := i.store.charge(ctx, handleFuel); err != nil {
		return err
	}
	return i.mayLeave()
}

package canon

import "github.com/realm-mesh/realm/engine/component/wit"

// maxIndex is the largest index that the canonical ABI has in a table.
const maxIndex = 1<<28 - 1

// handle is an entry of a table.
type handle struct {
	res   *wit.Resource // nil: there is none
	rep   uint32
	lends uint32 // calls that have borrowed it now
	own   bool
	scope *frame // of a borrow: the call that has to drop it
}

// table are the handles of an instance. Index 0 is none's; indices that became free are
// given again, the last one first, as the canonical ABI has it.
type table struct {
	entries []handle
	unused  []uint32
}

func (t *table) get(index uint32, r *wit.Resource) (*handle, error) {
	if index >= uint32(len(t.entries)) || t.entries[index].res == nil {
		return nil, trapf("there is no handle %d", index)
	}
	h := &t.entries[index]
	if h.res != r {
		return nil, trapf("handle %d is of resource %q, want %q", index, h.res.Name, r.Name)
	}
	return h, nil
}

// add gives h an index.
func (i *Instance) add(h handle) (uint32, error) {
	if i.store.handles >= i.store.config.Handles {
		return 0, trapf("there are more than %d handles", i.store.config.Handles)
	}
	t := &i.table
	if n := len(t.unused); n > 0 {
		index := t.unused[n-1]
		t.unused = t.unused[:n-1]
		t.entries[index] = h
		i.store.handles++
		return index, nil
	}
	if len(t.entries) == 0 {
		t.entries = append(t.entries, handle{})
	}
	if len(t.entries) > maxIndex {
		return 0, trap("a table of handles is full")
	}
	t.entries = append(t.entries, h)
	i.store.handles++
	return uint32(len(t.entries) - 1), nil
}

// take removes a handle that nobody has borrowed.
func (i *Instance) take(index uint32, r *wit.Resource) (handle, error) {
	h, err := i.table.get(index, r)
	if err != nil {
		return handle{}, err
	}
	if h.lends > 0 {
		return handle{}, trapf("handle %d is dropped or given away while it is lent", index)
	}
	taken := *h
	*h = handle{}
	i.table.unused = append(i.table.unused, index)
	i.store.handles--
	return taken, nil
}

// takeOwn removes an own that is given away.
func (i *Instance) takeOwn(index uint32, r *wit.Resource) (handle, error) {
	h, err := i.table.get(index, r)
	if err != nil {
		return handle{}, err
	}
	if !h.own {
		return handle{}, trapf("handle %d is a borrow, want an own", index)
	}
	return i.take(index, r)
}

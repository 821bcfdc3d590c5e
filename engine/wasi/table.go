package wasi

import "maps"

// resource is something of the host that a guest holds.
type resource interface {
	// drop releases it. It is called once.
	drop(g *Guest)
}

// table has the resources of a guest by rep. A resource may be the child of another,
// which must not go before it.
type table struct {
	entries map[uint32]*entry
	last    uint32 // rep that was given out
	most    int
}

type entry struct {
	resource resource
	parent   uint32 // 0: none
	children int
}

func newTable(most int) table { return table{entries: map[uint32]*entry{}, most: most} }

// add adds r, a child of parent's, and returns its rep, which is never 0.
func (t *table) add(r resource, parent uint32) (uint32, error) {
	if len(t.entries) >= t.most {
		return 0, trap("it holds %d resources of the host, the most there may be: drop some", t.most)
	}
	t.last++
	for t.last == 0 || t.entries[t.last] != nil {
		t.last++
	}
	t.entries[t.last] = &entry{resource: r, parent: parent}
	if p := t.entries[parent]; p != nil {
		p.children++
	}
	return t.last, nil
}

// take takes the resource out of the table.
func (t *table) take(rep uint32) (resource, error) {
	e := t.entries[rep]
	switch {
	case e == nil:
		return nil, trap("resource %d is not there any more", rep)
	case e.children > 0:
		return nil, trap("a %T is dropped or given away before what was made of it", e.resource)
	}
	delete(t.entries, rep)
	if p := t.entries[e.parent]; p != nil {
		p.children--
	}
	return e.resource, nil
}

// clear drops everything: children first, as far as there is an order.
func (t *table) clear(g *Guest) {
	for len(t.entries) > 0 {
		for rep, e := range maps.Clone(t.entries) {
			if e.children == 0 {
				_, _ = t.take(rep) // it is there, and has no children
				e.resource.drop(g)
			}
		}
	}
}

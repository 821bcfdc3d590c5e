package canon_test

import (
	"context"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// model is what a table should be: what each index has, and which are to be given next.
type model struct {
	held   map[uint32]wit.Handle
	unused []uint32
	size   uint32
}

func (m *model) add(h wit.Handle) uint32 {
	m.size++
	index := m.size
	if n := len(m.unused); n > 0 {
		m.size--
		index, m.unused = m.unused[n-1], m.unused[:n-1]
	}
	m.held[index] = h
	return index
}

func (m *model) remove(index uint32) wit.Handle {
	h := m.held[index]
	delete(m.held, index)
	m.unused = append(m.unused, index)
	return h
}

// play is a scene, what it should be, and the owns that the host has.
type play struct {
	*scene
	sides  [2]*canon.Instance
	models [2]*model
	hands  []wit.Handle
	next   uint32
	ended  []uint32
	freed  []uint32
}

// FuzzHandles does random things with handles, in two instances and with the host, next
// to a model of them.
func FuzzHandles(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 1, 0, 2, 2, 1, 3, 0, 1, 4, 1, 0, 5, 0, 1, 6, 0, 2, 7, 1, 1})
	f.Add([]byte{2, 0, 0, 2, 1, 0, 3, 0, 1, 4, 0, 1, 2, 0, 0, 1, 0, 1, 5, 0, 1, 7, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		p := &play{scene: newScene(t, canon.Config{})}
		p.sides = [2]*canon.Instance{p.a, p.b}
		for i := range p.models {
			p.models[i] = &model{held: map[uint32]wit.Handle{}}
		}
		for ops = ops[:min(len(ops), 600)]; len(ops) >= 3; ops = ops[3:] {
			p.step(ops[0]%8, int(ops[1]%2), uint32(ops[2]%8))
		}
		p.end()
	})
}

func (p *play) step(op byte, side int, index uint32) {
	i, m := p.sides[side], p.models[side]
	r := file
	if index%2 == 0 {
		r = node
	}
	ctx := context.Background()
	h, there := m.held[index]
	switch op {
	case 0: // a makes a node
		p.next++
		got, err := p.a.NewResource(ctx, node, p.next)
		p.check(err, true)
		p.equal(got, p.models[0].add(owned(node, p.next)))
	case 1: // a handle is dropped
		fits := there && h.Resource == r
		p.check(i.Drop(ctx, r, index), fits)
		if fits {
			p.destroyed(m.remove(index))
		}
	case 2: // the host makes something and gives it
		p.next++
		p.equal(p.give(i, owned(file, p.next)), m.add(owned(file, p.next)))
	case 3: // the host gets an own
		fits := there && h.Resource == r
		p.check(p.leave(i, own(r), index, func(_ context.Context, v wit.Handle) error {
			p.hands = append(p.hands, v)
			return nil
		}), fits)
		if fits && m.remove(index) != p.hands[len(p.hands)-1] {
			p.t.Errorf("the host got %v", p.hands)
		}
	case 4: // the host gives one that it has
		if n := len(p.hands); n > 0 {
			h, p.hands = p.hands[n-1], p.hands[:n-1]
			p.equal(p.give(i, h), m.add(h))
		}
	case 5: // the host drops one
		if n := len(p.hands); n > 0 {
			h, p.hands = p.hands[n-1], p.hands[:n-1]
			p.check(p.store.Drop(ctx, h), true)
			p.destroyed(h)
		}
	case 6: // a guest lends one, and cannot drop it meanwhile
		fits := there && h.Resource == r
		p.check(p.leave(i, borrow(r), index, func(ctx context.Context, v wit.Handle) error {
			if v.Own || v.Rep != h.Rep {
				p.t.Errorf("lent %v of %v", v, h)
			}
			p.check(i.Drop(ctx, r, index), false)
			return nil
		}), fits)
	case 7: // the host lends one, which the guest drops
		p.next++
		lent := wit.Handle{Resource: file, Rep: p.next}
		p.check(p.enter(i, borrow(file), lent, func(ctx context.Context, v uint32) error {
			p.equal(v, m.add(lent))
			m.remove(v)
			return i.Drop(ctx, file, v)
		}), true)
	}
}

func (p *play) destroyed(h wit.Handle) {
	if h.Resource == file {
		p.ended = append(p.ended, h.Rep)
	} else {
		p.freed = append(p.freed, h.Rep)
	}
	p.want(p.ended, p.freed)
}

func (p *play) check(err error, fits bool) {
	p.t.Helper()
	if isTrap(err) == fits || err != nil && !isTrap(err) {
		p.t.Fatalf("error %v, should it work: %t", err, fits)
	}
}

func (p *play) equal(got, want uint32) {
	p.t.Helper()
	if got != want {
		p.t.Fatalf("index %d, want %d", got, want)
	}
}

// end sees that what the guests still had of the host's is destroyed, each once.
func (p *play) end() {
	for _, m := range p.models {
		for _, h := range m.held {
			if h.Resource == file {
				p.ended = append(p.ended, h.Rep)
			}
		}
	}
	p.store.Close(context.Background())
	slices.Sort(p.ended)
	slices.Sort(p.scene.ended)
	p.want(p.ended, p.freed)
}

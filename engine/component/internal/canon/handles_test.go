package canon_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

var (
	file = &wit.Resource{Name: "file"} // of the host
	node = &wit.Resource{Name: "node"} // of a guest
)

func own(r *wit.Resource) *wit.Type    { return &wit.Type{Kind: wit.Own, Resource: r} }
func borrow(r *wit.Resource) *wit.Type { return &wit.Type{Kind: wit.Borrow, Resource: r} }

func owned(r *wit.Resource, rep uint32) wit.Handle {
	return wit.Handle{Resource: r, Rep: rep, Own: true}
}

// scene is a store with two instances, a and b, of which a defines node.
type scene struct {
	t     testing.TB
	store *canon.Store
	a, b  *canon.Instance
	ended []uint32 // files that were destroyed
	freed []uint32 // nodes that were
}

func newScene(t testing.TB, c canon.Config) *scene {
	s := &scene{t: t}
	c.Host = map[*wit.Resource]func(context.Context, uint32) error{
		file: func(_ context.Context, rep uint32) error {
			s.ended = append(s.ended, rep)
			return nil
		},
	}
	s.store = canon.NewStore(c)
	s.a, s.b = s.store.NewInstance(nil), s.store.NewInstance(nil)
	s.a.Define(node, core(func(_ context.Context, stack []uint64) error {
		s.freed = append(s.freed, uint32(stack[0]))
		return nil
	}))
	return s
}

// enter calls a function of one parameter that i exports; body gets its core value.
func (s *scene) enter(i *canon.Instance, of *wit.Type, arg any, body func(ctx context.Context, v uint32) error) error {
	l := &canon.Lifted{Func: plan(s.t, nil, of), Instance: i, Core: core(func(ctx context.Context, stack []uint64) error {
		return body(ctx, uint32(stack[0]))
	})}
	_, err := l.Call(context.Background(), []any{arg})
	return err
}

// leave calls a function of one parameter that i imports; body gets the value.
func (s *scene) leave(i *canon.Instance, of *wit.Type, index uint32, body func(ctx context.Context, v wit.Handle) error) error {
	l := &canon.Lowered{Func: plan(s.t, nil, of), Instance: i, Callee: canon.HostFunc(func(ctx context.Context, args []any) (any, error) {
		return nil, body(ctx, args[0].(wit.Handle))
	})}
	return l.Call(context.Background(), []uint64{uint64(index)})
}

// give gives i an own, and returns its index.
func (s *scene) give(i *canon.Instance, h wit.Handle) (index uint32) {
	s.t.Helper()
	err := s.enter(i, own(h.Resource), h, func(_ context.Context, v uint32) error {
		index = v
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return index
}

func (s *scene) wantTrap(what string, err error) {
	s.t.Helper()
	if !isTrap(err) {
		s.t.Errorf("%s: %v, want a trap", what, err)
	}
}

func (s *scene) want(ended, freed []uint32) {
	s.t.Helper()
	if !reflect.DeepEqual(s.ended, ended) || !reflect.DeepEqual(s.freed, freed) {
		s.t.Errorf("destroyed files %d and nodes %d, want %d and %d", s.ended, s.freed, ended, freed)
	}
}

func nothing(context.Context, wit.Handle) error { return nil }

func TestHandlesAreChecked(t *testing.T) {
	ctx := context.Background()
	s := newScene(t, canon.Config{})
	index, err := s.a.NewResource(ctx, node, 7)
	if err != nil || index != 1 {
		t.Fatalf("first handle is %d: %v", index, err)
	}
	if rep, err := s.a.Rep(ctx, node, 1); rep != 7 || err != nil {
		t.Errorf("rep is %d: %v", rep, err)
	}
	for _, bad := range []uint32{0, 2, 1 << 28, 1<<32 - 1} {
		_, err := s.a.Rep(ctx, node, bad)
		s.wantTrap("rep of none", err)
		s.wantTrap("drop of none", s.a.Drop(ctx, node, bad))
		s.wantTrap("own of none", s.leave(s.a, own(node), bad, nothing))
		s.wantTrap("borrow of none", s.leave(s.a, borrow(node), bad, nothing))
	}
	_, err = s.a.Rep(ctx, file, 1)
	s.wantTrap("rep of another resource", err)
	s.wantTrap("drop of another resource", s.a.Drop(ctx, file, 1))
	s.wantTrap("own of another resource", s.leave(s.a, own(file), 1, nothing))
	s.wantTrap("borrow of another resource", s.leave(s.a, borrow(file), 1, nothing))
	s.wantTrap("handle of another instance", s.b.Drop(ctx, node, 1))
	if err := s.a.Drop(ctx, node, 1); err != nil {
		t.Error(err)
	}
	s.wantTrap("second drop", s.a.Drop(ctx, node, 1))
	s.want(nil, []uint32{7})
}

func TestIndicesAreUsedAgainLastFirst(t *testing.T) {
	s := newScene(t, canon.Config{})
	for rep := range uint32(3) {
		s.give(s.a, owned(file, rep))
	}
	for _, index := range []uint32{1, 3, 2} {
		if err := s.a.Drop(t.Context(), file, index); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []uint32{2, 3, 1, 4} {
		if got := s.give(s.a, owned(file, 9)); got != want {
			t.Errorf("index %d, want %d", got, want)
		}
	}
	s.want([]uint32{0, 2, 1}, nil)
}

func TestLentHandleStays(t *testing.T) {
	s := newScene(t, canon.Config{})
	index := s.give(s.a, owned(file, 5))
	err := s.leave(s.a, borrow(file), index, func(ctx context.Context, v wit.Handle) error {
		if v != (wit.Handle{Resource: file, Rep: 5}) {
			t.Errorf("lent %v", v)
		}
		s.wantTrap("drop of what is lent", s.a.Drop(ctx, file, index))
		s.wantTrap("own of what is lent", s.leave(s.a, own(file), index, nothing))
		return s.leave(s.a, borrow(file), index, nothing) // twice is well
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.leave(s.a, own(file), index, nothing); err != nil {
		t.Errorf("after the loan: %v", err)
	}
	s.want(nil, nil)
}

func TestBorrowsEndWithTheCall(t *testing.T) {
	s := newScene(t, canon.Config{})
	lent := wit.Handle{Resource: file, Rep: 3}
	err := s.enter(s.a, borrow(file), lent, func(ctx context.Context, index uint32) error {
		s.wantTrap("own of a borrow", s.leave(s.a, own(file), index, nothing))
		if err := s.leave(s.a, borrow(file), index, nothing); err != nil {
			t.Errorf("lend on: %v", err)
		}
		return s.a.Drop(ctx, file, index)
	})
	if err != nil {
		t.Error(err)
	}
	s.wantTrap("borrow that stays", s.enter(s.a, borrow(file), lent, func(context.Context, uint32) error { return nil }))
	s.want(nil, nil)
}

func TestDefinerGetsRepOfBorrow(t *testing.T) {
	s := newScene(t, canon.Config{})
	err := s.enter(s.a, borrow(node), wit.Handle{Resource: node, Rep: 42}, func(_ context.Context, v uint32) error {
		if v != 42 {
			t.Errorf("got %d, want the rep", v)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOwnsAreDestroyedOnce(t *testing.T) {
	ctx := t.Context()
	s := newScene(t, canon.Config{})
	s.give(s.a, owned(file, 1))
	kept := s.give(s.b, owned(node, 2))
	given := s.give(s.b, owned(file, 3))

	broken := errors.New("the host fails")
	err := s.leave(s.b, own(file), given, func(context.Context, wit.Handle) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	s.want(nil, nil) // 3 is the host's
	if err := s.store.Drop(ctx, owned(file, 3)); err != nil {
		t.Error(err)
	}
	if err := s.b.Drop(ctx, node, kept); err != nil { // by a, which defines it
		t.Error(err)
	}
	s.want([]uint32{3}, []uint32{2})

	two := tuple(own(file), prim(wit.U8))
	err = s.enter(s.b, two, []any{owned(file, 4), "no number"}, nil)
	var wrong *canon.ValueError
	if !errors.As(err, &wrong) || wrong.Path != ".p.1" {
		t.Errorf("error %v", err)
	}
	s.want([]uint32{3}, []uint32{2}) // 4 is in the table
	s.wantTrap("entered again", s.enter(s.b, own(file), owned(file, 5), nil))
	s.want([]uint32{3, 5}, []uint32{2})
	s.store.Close(ctx)
	s.store.Close(ctx)
	s.want([]uint32{3, 5, 1, 4}, []uint32{2})
	if err := s.enter(s.a, own(file), owned(file, 6), nil); err == nil {
		t.Error("a closed component is entered")
	}
	s.want([]uint32{3, 5, 1, 4, 6}, []uint32{2})
}

func TestOwnsOfAFailedLiftAreDestroyed(t *testing.T) {
	s := newScene(t, canon.Config{})
	index := s.give(s.a, owned(file, 1))
	l := &canon.Lowered{Func: plan(t, nil, own(file), prim(wit.Char)), Instance: s.a, Callee: canon.HostFunc(nil)}
	s.wantTrap("no char", l.Call(t.Context(), []uint64{uint64(index), 0xd800}))
	s.want([]uint32{1}, nil)
	s.store.Close(t.Context())
	s.want([]uint32{1}, nil)
}

func TestOwnsOfAFailedResultAreDestroyed(t *testing.T) {
	fn := plan(t, tuple(own(file), prim(wit.Char)))
	s := newScene(t, canon.Config{})
	index := s.give(s.a, owned(file, 1))
	m := pages(t, 1)
	l := &canon.Lifted{Func: fn, Instance: s.a, Options: canon.Options{Memory: m}, Core: core(func(_ context.Context, stack []uint64) error {
		m.WriteUint32Le(8, index)
		m.WriteUint32Le(12, 0xd800)
		stack[0] = 8
		return nil
	})}
	_, err := l.Call(t.Context(), nil)
	s.wantTrap("no char", err)
	s.want([]uint32{1}, nil)

	result := []any{owned(file, 2), "no char"}
	lower := &canon.Lowered{Func: fn, Instance: s.b, Options: l.Options, Callee: canon.HostFunc(func(context.Context, []any) (any, error) { return result, nil })}
	for _, where := range []uint64{1 << 16, 8} { // nowhere, or where the own has its place already
		if err := lower.Call(t.Context(), []uint64{where}); err == nil {
			t.Error("no error")
		}
		s.want([]uint32{1, 2}, nil)
		result[0] = owned(file, 3)
	}
	s.store.Close(t.Context())
	s.want([]uint32{1, 2, 3}, nil)
}

func TestDestructorMayRunWithinItself(t *testing.T) {
	ctx := t.Context()
	s := newScene(t, canon.Config{})
	var child uint32
	ran := 0
	s.a.Define(node, core(func(ctx context.Context, _ []uint64) error {
		if ran++; ran == 1 {
			return s.a.Drop(ctx, node, child)
		}
		return nil
	}))
	parent, _ := s.a.NewResource(ctx, node, 1)
	child, _ = s.a.NewResource(ctx, node, 2)
	if err := s.a.Drop(ctx, node, parent); err != nil || ran != 2 {
		t.Errorf("%d destructors ran: %v", ran, err)
	}
}

func TestDestructorEntersItsInstance(t *testing.T) {
	s := newScene(t, canon.Config{})
	index := s.give(s.b, owned(node, 1))
	err := s.enter(s.a, prim(wit.U8), uint8(0), func(ctx context.Context, _ uint32) error {
		return s.b.Drop(ctx, node, index)
	})
	s.wantTrap("destructor in an instance that is entered", err)
	s.want(nil, nil)
}

func TestReallocMayNotLeave(t *testing.T) {
	for name, leave := range map[string]func(ctx context.Context, s *scene) error{
		"resource.new":  func(ctx context.Context, s *scene) error { _, err := s.a.NewResource(ctx, node, 1); return err },
		"resource.drop": func(ctx context.Context, s *scene) error { return s.a.Drop(ctx, node, 1) },
		"import":        func(_ context.Context, s *scene) error { return s.leave(s.a, borrow(node), 1, nothing) },
	} {
		s := newScene(t, canon.Config{})
		if _, err := s.a.NewResource(t.Context(), node, 1); err != nil {
			t.Fatal(err)
		}
		m := pages(t, 1)
		confined := core(func(ctx context.Context, stack []uint64) error {
			if rep, err := s.a.Rep(ctx, node, 1); rep != 1 || err != nil {
				t.Errorf("resource.rep in realloc: %v", err)
			}
			return leave(ctx, s)
		})
		l := &canon.Lifted{Func: plan(t, nil, prim(wit.String)), Instance: s.a, Options: canon.Options{Memory: m, Realloc: confined}, Core: core(func(context.Context, []uint64) error { return nil })}
		_, err := l.Call(t.Context(), []any{"a"})
		s.wantTrap(name+" in realloc", err)

		s = newScene(t, canon.Config{})
		if _, err := s.a.NewResource(t.Context(), node, 1); err != nil {
			t.Fatal(err)
		}
		l = &canon.Lifted{Func: plan(t, nil), Instance: s.a, Options: canon.Options{PostReturn: confined}, Core: l.Core}
		_, err = l.Call(t.Context(), nil)
		s.wantTrap(name+" in post-return", err)
	}
}

// between is a function that instance i imports from another one, lifted there as l.
func between(i *canon.Instance, l *canon.Lifted) api.Function {
	return core((&canon.Lowered{Func: l.Func, Instance: i, Options: l.Options, Callee: l}).Call)
}

func TestInstancesAreNotReentered(t *testing.T) {
	s := newScene(t, canon.Config{})
	fn := plan(t, prim(wit.U32), prim(wit.U32))
	inA := &canon.Lifted{Func: fn, Instance: s.a}
	inB := &canon.Lifted{Func: fn, Instance: s.b, Core: between(s.b, inA)}
	inA.Core = between(s.a, inB) // a calls b, which calls a
	_, err := inA.Call(t.Context(), []any{uint32(1)})
	s.wantTrap("a within b within a", err)
	_, err = inB.Call(t.Context(), []any{uint32(1)})
	s.wantTrap("b after its trap", err)
}

func TestParentIsReenteredByChild(t *testing.T) {
	s := newScene(t, canon.Config{})
	child := s.store.NewInstance(s.a)
	fn := plan(t, prim(wit.U32), prim(wit.U32))
	inner := &canon.Lifted{Func: fn, Instance: s.a, Core: core(func(_ context.Context, stack []uint64) error {
		stack[0]++
		return nil
	})}
	inChild := &canon.Lifted{Func: fn, Instance: child, Core: between(child, inner)}
	outer := &canon.Lifted{Func: fn, Instance: s.a, Core: between(s.a, inChild)}
	for range 2 {
		if got, err := outer.Call(t.Context(), []any{uint32(1)}); got != uint32(2) || err != nil {
			t.Errorf("got %v: %v", got, err)
		}
	}
	if got, err := inChild.Call(t.Context(), []any{uint32(5)}); got != uint32(6) || err != nil {
		t.Errorf("got %v: %v", got, err)
	}
	sibling := s.store.NewInstance(s.a)
	inSibling := &canon.Lifted{Func: fn, Instance: sibling, Core: between(sibling, inChild)}
	if got, err := inSibling.Call(t.Context(), []any{uint32(7)}); got != uint32(8) || err != nil {
		t.Errorf("got %v: %v", got, err)
	}
}

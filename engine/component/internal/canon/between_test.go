package canon_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// Each component has its memory, and its encoding of strings.
func TestComponentsCallEachOther(t *testing.T) {
	texts := list(prim(wit.String))
	fn := plan(t, texts, texts)
	for inner := range canon.Encoding(3) {
		for outer := range canon.Encoding(3) {
			s := newScene(t, canon.Config{})
			b := lifted(compiled(t, guest()), s.b, fn, "echo")
			b.Options.Encoding = inner
			m := compiled(t, guest())
			a := lifted(m, s.a, fn, "")
			a.Options.Encoding = outer
			imported := &canon.Lowered{Func: fn, Instance: s.a, Options: a.Options, Callee: b}
			a.Core = core(func(ctx context.Context, stack []uint64) error {
				stack[2] = 64
				if err := imported.Call(ctx, stack); err != nil {
					return err
				}
				stack[0] = 64
				return nil
			})
			want := []any{"", "realm", "größer", "日本", "a😀b", "ÿĀ"}
			got, err := a.Call(t.Context(), []any{want})
			if err != nil || !reflect.DeepEqual(got, any(want)) {
				t.Errorf("encodings %d and %d: got %q: %v", outer, inner, got, err)
			}
		}
	}
}

// relay has a, which has a handle, call b with it; body is b's.
func relay(s *scene, of *wit.Type, index uint32, body func(ctx context.Context, index uint32) error) error {
	inB := &canon.Lifted{Func: plan(s.t, nil, of), Instance: s.b, Core: core(func(ctx context.Context, stack []uint64) error {
		return body(ctx, uint32(stack[0]))
	})}
	return s.enter(s.a, prim(wit.U32), index, func(ctx context.Context, index uint32) error {
		return between(s.a, inB).CallWithStack(ctx, []uint64{uint64(index)})
	})
}

func TestHandlesPassBetweenComponents(t *testing.T) {
	for _, r := range []*wit.Resource{file, node} {
		s := newScene(t, canon.Config{})
		index := s.give(s.a, owned(r, 7))
		err := relay(s, borrow(r), index, func(ctx context.Context, lent uint32) error {
			s.wantTrap("drop of what is lent", s.a.Drop(ctx, r, index))
			return s.b.Drop(ctx, r, lent)
		})
		if err != nil {
			t.Error(err)
		}
		var moved uint32
		err = relay(s, own(r), index, func(ctx context.Context, given uint32) error {
			s.wantTrap("drop of what was given away", s.a.Drop(ctx, r, index))
			moved = given
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		s.want(nil, nil)
		if err := s.b.Drop(t.Context(), r, moved); err != nil {
			t.Error(err)
		}
		if len(s.ended)+len(s.freed) != 1 {
			t.Errorf("destroyed %d and %d, want one", s.ended, s.freed)
		}
	}
}

func TestBorrowThatStaysEndsBoth(t *testing.T) {
	s := newScene(t, canon.Config{})
	index := s.give(s.a, owned(file, 7))
	err := relay(s, borrow(file), index, func(context.Context, uint32) error { return nil })
	s.wantTrap("borrow that stays", err)
	s.wantTrap("lender", s.enter(s.a, prim(wit.U8), uint8(1), nil))
	s.wantTrap("borrower", s.enter(s.b, prim(wit.U8), uint8(1), nil))
	s.store.Close(t.Context())
	s.want([]uint32{7}, nil)
}

// What is given to a component that cannot be entered is destroyed, as nobody has it.
func TestOwnForAComponentThatTrapped(t *testing.T) {
	s := newScene(t, canon.Config{})
	broken := errors.New("broken")
	if err := s.enter(s.b, prim(wit.U8), uint8(1), func(context.Context, uint32) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	index := s.give(s.a, owned(file, 7))
	s.wantTrap("b", relay(s, own(file), index, nil))
	s.want([]uint32{7}, nil)
	s.store.Close(t.Context())
	s.want([]uint32{7}, nil)
}

func TestReallocThatNeverEndsIsEnded(t *testing.T) {
	m := start(t, guest(), wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), plan(t, nil, prim(wit.String)), "add")
	l.Options.Realloc = canon.Export(m, "stuck")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Call(ctx, []any{"a"}); err == nil {
		t.Error("no error")
	}
	if _, err := l.Call(t.Context(), []any{"a"}); !isTrap(err) {
		t.Errorf("%v, want a trap", err)
	}
}

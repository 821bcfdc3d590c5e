package canon_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// Each of these is wrong in every type of zoo and in every scalar.
func TestWrongValuesAreErrors(t *testing.T) {
	m := pages(t, 1)
	types := append(zoo(t), own(file), borrow(file))
	for k := wit.Bool; k <= wit.String; k++ {
		types = append(types, prim(k))
	}
	for _, of := range types {
		for _, v := range []any{
			nil, 1, struct{}{}, uint(1), []string{"a"}, "\xff", rune(0xd800), []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
			[]any{1}, wit.Choice{Case: 9}, wit.Choice{Case: 1, Value: 1}, owned(node, 1), &wit.Choice{},
		} {
			if v == rune(0xd800) && of.Kind == wit.S32 {
				continue
			}
			for _, result := range []bool{false, true} {
				err := lowerOne(t, canon.Options{Memory: m, Realloc: core(bump(t, m, 1024))}, of, v, result)
				var wrong *canon.ValueError
				if !errors.As(err, &wrong) || wrong.Want == "" || wrong.Got == "" {
					t.Errorf("%v as kind %d: %v, want a ValueError", v, of.Kind, err)
				}
			}
		}
	}
}

// lowerOne lowers a value as a parameter or as a result.
func lowerOne(t *testing.T, o canon.Options, of *wit.Type, v any, result bool) error {
	i := canon.NewStore(canon.Config{}).NewInstance(nil)
	if result && of.Kind != wit.Borrow {
		l := &canon.Lowered{Func: plan(t, of), Instance: i, Options: o, Callee: canon.HostFunc(func(context.Context, []any) (any, error) { return v, nil })}
		return l.Call(t.Context(), make([]uint64, 1))
	}
	l := &canon.Lifted{Func: plan(t, nil, of), Instance: i, Options: o, Core: core(func(context.Context, []uint64) error { return nil })}
	_, err := l.Call(t.Context(), []any{v})
	return err
}

// Whatever a NaN is, the other side sees the same one.
func TestNaNsAreAllTheSame(t *testing.T) {
	same := plan(t, tuple(prim(wit.F32), prim(wit.F64)), prim(wit.F32), prim(wit.F64))
	m := pages(t, 1)
	l := &canon.Lifted{Func: same, Instance: canon.NewStore(canon.Config{}).NewInstance(nil), Options: canon.Options{Memory: m}, Core: core(func(_ context.Context, stack []uint64) error {
		if stack[0] != 0x7fc00000 || stack[1] != 0x7ff8000000000000 {
			t.Errorf("lowered %x", stack[:2])
		}
		m.WriteUint32Le(0, 0xffc12345)
		m.WriteUint64Le(8, 0xfff8123456789abc)
		stack[0] = 0
		return nil
	})}
	got, err := l.Call(t.Context(), []any{math.Float32frombits(0x7f812345), math.Float64frombits(0xfff0000000000001)})
	if err != nil {
		t.Fatal(err)
	}
	vs := got.([]any)
	if math.Float32bits(vs[0].(float32)) != 0x7fc00000 || math.Float64bits(vs[1].(float64)) != 0x7ff8000000000000 {
		t.Errorf("lifted %v", vs)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	inner := &wit.Type{Kind: wit.Record, Fields: []wit.Field{
		{Name: "name", Type: prim(wit.String)}, {Name: "mode", Type: &wit.Type{Kind: wit.Option, Elem: &wit.Type{Kind: wit.Flags, Names: make([]string, 3)}}},
	}}
	m := pages(t, 1)
	o := canon.Options{Memory: m, Realloc: core(bump(t, m, 1024))}
	err := lowerOne(t, o, list(inner), []any{[]any{"a", wit.None()}, []any{"b", wit.Some(uint32(9))}}, false)
	const want = "value at .p[1].mode.some is 0x9, want flags (uint32) of 3 names"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	err = lowerOne(t, o, &wit.Type{Kind: wit.Result}, wit.Ok(1), true)
	if err == nil || err.Error() != "value at .ok is int, want nothing" {
		t.Errorf("error %v", err)
	}
}

func TestArgumentsAreCounted(t *testing.T) {
	l := &canon.Lifted{Func: plan(t, nil, prim(wit.U8)), Instance: canon.NewStore(canon.Config{}).NewInstance(nil), Core: core(nil)}
	var wrong *canon.ValueError
	if _, err := l.Call(t.Context(), nil); !errors.As(err, &wrong) {
		t.Errorf("no arguments: %v", err)
	}
}

func TestNothingIsNil(t *testing.T) {
	i := canon.NewStore(canon.Config{}).NewInstance(nil)
	l := &canon.Lowered{Func: plan(t, nil), Instance: i, Callee: canon.HostFunc(func(context.Context, []any) (any, error) { return 1, nil })}
	var wrong *canon.ValueError
	if err := l.Call(t.Context(), nil); !errors.As(err, &wrong) {
		t.Errorf("a result where there is none: %v", err)
	}
}

func TestOptionsThatAreMissingAreTraps(t *testing.T) {
	for _, of := range []*wit.Type{prim(wit.String), list(prim(wit.U8)), list(prim(wit.U64)), tuple(prim(wit.U8), prim(wit.U8), list(prim(wit.U8)))} {
		var v any = "a"
		switch {
		case of.Kind == wit.Tuple:
			v = []any{uint8(1), uint8(2), []byte{3}}
		case of.Kind == wit.List && of.Elem.Kind == wit.U8:
			v = []byte{1}
		case of.Kind == wit.List:
			v = []any{uint64(1)}
		}
		for _, o := range []canon.Options{{}, {Realloc: core(func(context.Context, []uint64) error { return nil })}, {Memory: pages(t, 1)}} {
			if err := lowerOne(t, o, of, v, false); !isTrap(err) {
				t.Errorf("%v: %v, want a trap", of.Kind, err)
			}
		}
	}
}

func TestNeeds(t *testing.T) {
	u64s := func(n int) (out []*wit.Type) {
		for range n {
			out = append(out, prim(wit.U64))
		}
		return out
	}
	type needs struct{ liftMemory, liftRealloc, lowerMemory, lowerRealloc bool }
	for name, c := range map[string]struct {
		fn   *canon.Func
		want needs
	}{
		"scalars":         {plan(t, prim(wit.U8), u64s(16)...), needs{}},
		"17 scalars":      {plan(t, nil, u64s(17)...), needs{true, true, true, false}},
		"two results":     {plan(t, tuple(u64s(2)...)), needs{true, false, true, false}},
		"string":          {plan(t, nil, prim(wit.String)), needs{true, true, true, false}},
		"returned string": {plan(t, prim(wit.String)), needs{true, false, true, true}},
	} {
		var got needs
		got.liftMemory, got.liftRealloc = c.fn.LiftNeeds()
		got.lowerMemory, got.lowerRealloc = c.fn.LowerNeeds()
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

package canon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// zoo are types of all kinds, without handles.
func zoo(t testing.TB) []*wit.Type {
	var out []*wit.Type
	for _, s := range []string{
		`"string"`, `{"list":"u8"}`, `{"list":"string"}`, `{"list":"char"}`, `{"list":{"list":{"list":"bool"}}}`,
		`{"record":["s8","u64","f32",{"list":"u16"}]}`, `{"variant":[null,"f64","string",{"tuple":["f32","s64"]}]}`,
		`{"list":{"tuple":["string",{"list":"u8"}]}}`, `{"option":{"result":["string",{"enum":300}]}}`,
		`{"tuple":[{"flags":9},{"enum":3},"char","bool"]}`, `{"list":{"option":{"option":"u8"}}}`,
		`{"list":{"variant":["u8","u64",{"list":"string"}]}}`,
		`{"record":["string","string","string","string","string","string","string","string","string"]}`,
	} {
		out = append(out, typeOf(t, json.RawMessage(s)))
	}
	return out
}

// FuzzLift lifts from memories that are anything: as parameters and as a result, which
// is right, wrong, or too large, but not more than that.
func FuzzLift(f *testing.F) {
	for n := range zoo(f) {
		f.Add(byte(n), byte(n), []byte{32, 0, 0, 0, 1, 0, 0, 0}, uint64(64), uint64(2))
	}
	m, large := pages(f, 1), pages(f, 1024)
	types := zoo(f)
	f.Fuzz(func(t *testing.T, n, enc byte, mem []byte, a, b uint64) {
		of := types[int(n)%len(types)]
		m.Write(0, mem[:min(len(mem), 1<<16)])
		left := fuel(1 << 20)
		c := canon.Config{Bytes: 1 << 20, Meter: &left}
		o := canon.Options{Encoding: canon.Encoding(enc % 3), Memory: m}
		flat := []uint64{a, b, a >> 8, b >> 8, a >> 16, b >> 16, a >> 24, b >> 24, a, b, 0, 1, 2, 3, 4, 5, 6}
		var got any
		lower := &canon.Lowered{Func: plan(t, nil, of), Instance: canon.NewStore(c).NewInstance(nil), Options: o, Callee: canon.HostFunc(func(_ context.Context, args []any) (any, error) {
			got = args[0]
			return nil, nil
		})}
		if err := lower.Call(t.Context(), flat); err != nil && !isTrap(err) && left >= 0 {
			t.Fatal(err)
		} else if err == nil {
			roundTrip(t, large, of, got)
		}
		lift := &canon.Lifted{Func: plan(t, of), Instance: canon.NewStore(c).NewInstance(nil), Options: o, Core: core(func(_ context.Context, stack []uint64) error {
			stack[0] = a
			return nil
		})}
		if v, err := lift.Call(t.Context(), nil); err != nil && !isTrap(err) && left >= 0 {
			t.Fatal(err)
		} else if err == nil {
			roundTrip(t, large, of, v)
		}
	})
}

// roundTrip has a guest return v, which was lifted: in each encoding it comes back.
func roundTrip(t *testing.T, m api.Memory, of *wit.Type, v any) {
	t.Helper()
	for e := range canon.Encoding(3) {
		o := canon.Options{Encoding: e, Memory: m, Realloc: core(bump(t, m, 1024))}
		i := canon.NewStore(canon.Config{}).NewInstance(nil)
		fn := plan(t, of, of)
		var inner any
		lower := &canon.Lowered{Func: fn, Instance: i, Options: o, Callee: canon.HostFunc(func(_ context.Context, args []any) (any, error) {
			inner = args[0]
			return inner, nil
		})}
		params, results := fn.Lower()
		lift := &canon.Lifted{Func: fn, Instance: i, Options: o, Core: core(func(ctx context.Context, stack []uint64) error {
			if len(results) == 0 {
				stack[len(params)-1] = 512
			}
			if err := lower.Call(ctx, stack); err != nil {
				return err
			}
			if len(results) == 0 {
				stack[0] = 512
			}
			return nil
		})}
		outer, err := lift.Call(t.Context(), []any{v})
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%#v", v)
		if fmt.Sprintf("%#v", inner) != want || fmt.Sprintf("%#v", outer) != want {
			t.Fatalf("encoding %d: %s came back as %#v and %#v", e, want, inner, outer)
		}
	}
}

// FuzzLower lowers values that are made of the input, of a right type or a wrong one.
func FuzzLower(f *testing.F) {
	for n := range zoo(f) {
		f.Add(byte(n), byte(n), []byte("\x03\x01grün\x05 a text, and more"))
		f.Add(byte(n), byte(n+1), []byte("\x02\x00\x01\x01\x02"))
	}
	types, m := zoo(f), pages(f, 16)
	f.Fuzz(func(t *testing.T, n, other byte, seed []byte) {
		of, as := types[int(n)%len(types)], types[int(other)%len(types)]
		v := grown(as, bytes.NewReader(seed[:min(len(seed), 1<<10)]))
		if of == as {
			roundTrip(t, m, of, v)
			return
		}
		l := &canon.Lifted{
			Func: plan(t, nil, of), Instance: canon.NewStore(canon.Config{}).NewInstance(nil),
			Options: canon.Options{Encoding: canon.Encoding(n % 3), Memory: m, Realloc: core(bump(t, m, 1024))},
			Core:    core(func(context.Context, []uint64) error { return nil }),
		}
		_, _ = l.Call(t.Context(), []any{v}) // is no panic
	})
}

// FuzzRealloc has realloc answer anything, while its memory grows.
func FuzzRealloc(f *testing.F) {
	for n := range zoo(f) {
		f.Add(byte(n), byte(n), []byte("some text"), []byte{0, 4, 0, 2, 255, 255, 1, 0})
	}
	types, m := zoo(f), pages(f, 1)
	f.Fuzz(func(t *testing.T, n, enc byte, seed, answers []byte) {
		of := types[int(n)%len(types)]
		v := grown(of, bytes.NewReader(seed[:min(len(seed), 1<<10)]))
		entered := false
		l := &canon.Lifted{
			Func: plan(t, nil, of), Instance: canon.NewStore(canon.Config{}).NewInstance(nil),
			Options: canon.Options{Encoding: canon.Encoding(enc % 3), Memory: m, Realloc: core(func(_ context.Context, stack []uint64) error {
				p := uint64(1024)
				if len(answers) >= 2 {
					p = uint64(answers[0]) | uint64(answers[1])<<8
					answers = answers[2:]
				}
				if p == 0xffff && m.Size() < 1<<20 {
					m.Grow(1)
				}
				stack[0] = p
				return nil
			})},
			Core: core(func(context.Context, []uint64) error {
				entered = true
				return nil
			}),
		}
		_, err := l.Call(t.Context(), []any{v})
		if err != nil && !isTrap(err) || entered != (err == nil) {
			t.Fatalf("the guest was called: %t, error %v", entered, err)
		}
	})
}

// grown is a value of a type, made of what r has; then of nothing.
func grown(of *wit.Type, r *bytes.Reader) any {
	next := func() byte {
		b, _ := r.ReadByte()
		return b
	}
	few := func() int { return int(next()) % 6 }
	switch of.Kind {
	case wit.Bool:
		return next()&1 != 0
	case wit.S8:
		return int8(next())
	case wit.U8:
		return next()
	case wit.U16:
		return uint16(next()) << 7
	case wit.S64:
		return -int64(next()) << 50
	case wit.U64:
		return uint64(next()) << 56
	case wit.F32:
		return float32(next()) / 3
	case wit.F64:
		return float64(next()) / 3
	case wit.Char:
		return []rune{'a', 'é', 'Ā', '日', '😀', 0x10ffff}[few()]
	case wit.Enum, wit.Flags:
		return uint32(next()) % uint32(len(of.Names))
	case wit.String:
		b := make([]byte, 2*few())
		_, _ = r.Read(b)
		return string(bytes.ToValidUTF8(b, []byte("ÿ日😀")))
	}
	return grownCompound(of, r, few())
}

func grownCompound(of *wit.Type, r *bytes.Reader, n int) any {
	out := []any{}
	switch of.Kind {
	case wit.List:
		if of.Elem.Kind == wit.U8 {
			b := make([]byte, n)
			_, _ = r.Read(b)
			return b
		}
		for range n {
			out = append(out, grown(of.Elem, r))
		}
		return out
	case wit.Record, wit.Tuple:
		for _, f := range of.Fields {
			out = append(out, grown(f.Type, r))
		}
		return out
	}
	count := 2
	if of.Kind == wit.Variant {
		count = len(of.Cases)
	}
	c := wit.Choice{Case: uint32(n % count)}
	if of.Kind == wit.Option && c.Case == 0 {
		return c
	}
	if h := held(of, c.Case); h != nil {
		c.Value = grown(h, r)
	}
	return c
}

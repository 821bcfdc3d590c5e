package canon_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// bump is a realloc that never frees: it copies what was there.
func bump(t testing.TB, m interface {
	Read(ptr, n uint32) ([]byte, bool)
	Write(ptr uint32, b []byte) bool
}, at uint32) func(context.Context, []uint64) error {
	return func(_ context.Context, s []uint64) error {
		old, oldSize, align, size := uint32(s[0]), uint32(s[1]), uint32(s[2]), uint32(s[3])
		p := (at + align - 1) &^ (align - 1)
		at = p + size
		b, _ := m.Read(old, min(oldSize, size))
		m.Write(p, b)
		s[0] = uint64(p)
		return nil
	}
}

func TestCallGoesBothWays(t *testing.T) {
	ctx := context.Background()
	m := pages(t, 4)
	str := prim(wit.String)
	s := canon.NewStore(canon.Config{})
	options := func(e canon.Encoding) canon.Options {
		return canon.Options{Encoding: e, Memory: m, Realloc: core(bump(t, m, 1024))}
	}
	for _, e := range []canon.Encoding{canon.UTF8, canon.UTF16, canon.Latin1UTF16} {
		i := s.NewInstance(nil)
		fn := plan(t, list(str), list(str), prim(wit.U8))
		var got []any
		lowered := &canon.Lowered{Func: fn, Instance: i, Options: options(e), Callee: canon.HostFunc(func(_ context.Context, args []any) (any, error) {
			got = args
			return args[0], nil
		})}
		lifted := &canon.Lifted{Func: fn, Instance: i, Options: options(e), Core: core(func(ctx context.Context, stack []uint64) error {
			stack[3] = 512 // where the result goes
			if err := lowered.Call(ctx, stack); err != nil {
				return err
			}
			stack[0] = 512
			return nil
		})}
		args := []any{[]any{"", "realm", "größer", "日本", "a😀b", "ÿĀ"}, uint8(7)}
		result, err := lifted.Call(ctx, args)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, args) || !reflect.DeepEqual(result, args[0]) {
			t.Errorf("encoding %d: got %q and %q, want %q", e, got, result, args)
		}
	}
}

package canon_test

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

var errFuel = errors.New("no fuel is left")

// fuel is a Meter that has so much.
type fuel int64

func (f *fuel) Charge(_ context.Context, n uint64) error {
	if *f -= fuel(n); *f < 0 {
		return errFuel
	}
	return nil
}

// returned is what lifting a list at ptr of n elements returns.
func returned(t testing.TB, c canon.Config, m api.Memory, of *wit.Type, ptr, n uint32) (any, error) {
	l := &canon.Lifted{
		Func: plan(t, list(of)), Instance: canon.NewStore(c).NewInstance(nil), Options: canon.Options{Memory: m},
		Core: core(func(_ context.Context, stack []uint64) error {
			m.WriteUint32Le(0, ptr)
			m.WriteUint32Le(4, n)
			stack[0] = 0
			return nil
		}),
	}
	return l.Call(context.Background(), nil)
}

func TestLyingLengthsTakeNoMemory(t *testing.T) {
	m := pages(t, 1024) // 64 MiB
	nested := prim(wit.U8)
	for range 6 {
		nested = list(nested)
	}
	deep := prim(wit.U8)
	for range 20 {
		deep = tuple(deep)
	}
	for name, of := range map[string]*wit.Type{"numbers": prim(wit.S8), "strings": prim(wit.String), "lists": nested, "records": deep, "records of two": tuple(prim(wit.U8), prim(wit.Bool))} {
		const limit = 8 << 20
		size, _, err := canon.SizeAlign(of)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = returned(t, canon.Config{Bytes: limit}, m, of, 8, (m.Size()-8)/size)
		runtime.ReadMemStats(&after)
		if !isTrap(err) || !strings.Contains(err.Error(), "8388608 bytes") {
			t.Errorf("%s: %v, want a trap", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 2*limit {
			t.Errorf("%s: took %d bytes of memory, may take %d", name, took, limit)
		}
	}
}

// A list whose elements are all the same list takes a page, and is as large as
// one likes.
func TestListsOfTheSameListAreBounded(t *testing.T) {
	m := pages(t, 1)
	for i := uint32(0); i < 1<<13; i++ {
		m.WriteUint32Le(8*i, 0)
		m.WriteUint32Le(8*i+4, 1<<13)
	}
	of := list(list(list(prim(wit.U8))))
	_, err := returned(t, canon.Config{Bytes: 8 << 20}, m, of, 8, 1<<12)
	if !isTrap(err) {
		t.Errorf("%v, want a trap", err)
	}
	left := fuel(1 << 20)
	_, err = returned(t, canon.Config{Bytes: 1 << 40, Meter: &left}, m, of, 8, 1<<12)
	if !errors.Is(err, errFuel) {
		t.Errorf("%v, want %v", err, errFuel)
	}
}

func TestLiftingTakesFuelInSteps(t *testing.T) {
	m := pages(t, 64)
	for name, of := range map[string]*wit.Type{"bools": prim(wit.Bool), "options": {Kind: wit.Option, Elem: prim(wit.U8)}} {
		left := fuel(1 << 20) // more than the memory takes, less than all elements
		_, err := returned(t, canon.Config{Bytes: 1 << 30, Meter: &left}, m, of, 8, 1<<20)
		if !errors.Is(err, errFuel) || left < -20_000 {
			t.Errorf("%s: %v, and %d units left", name, err, left)
		}
	}
}

func TestLoweringTakesFuelInSteps(t *testing.T) {
	m := compiled(t, guest())
	for name, v := range map[string]struct {
		of *wit.Type
		v  any
	}{
		"numbers": {list(prim(wit.U32)), numbers(1 << 15)},
		"strings": {prim(wit.String), strings.Repeat("a", 1<<16)},
		"empty": {list(tuple(prim(wit.U8))), func() (out []any) {
			for range 1 << 15 {
				out = append(out, []any{uint8(0)})
			}
			return
		}()},
	} {
		left := fuel(1000)
		l := lifted(m, canon.NewStore(canon.Config{Meter: &left}).NewInstance(nil), plan(t, nil, v.of), "add")
		if _, err := l.Call(t.Context(), []any{v.v}); !errors.Is(err, errFuel) || left < -100_000 {
			t.Errorf("%s: %v, and %d units left", name, err, left)
		}
	}
}

func TestHandlesAreCapped(t *testing.T) {
	s := newScene(t, canon.Config{Handles: 3})
	for rep := range uint32(3) {
		if _, err := s.a.NewResource(t.Context(), node, rep); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.a.NewResource(t.Context(), node, 9)
	s.wantTrap("one more", err)
	s.wantTrap("one more in another instance", s.enter(s.b, own(file), owned(file, 1), nil))
	s.want([]uint32{1}, nil)
	if err := s.a.Drop(t.Context(), node, 1); err != nil {
		t.Error(err)
	}
	if _, err := s.a.NewResource(t.Context(), node, 9); err != nil {
		t.Error(err)
	}
	_, err = s.a.NewResource(t.Context(), node, 9)
	s.wantTrap("one more at an index that was used", err)
}

func TestCallsAreCapped(t *testing.T) {
	s := canon.NewStore(canon.Config{Depth: 10})
	fn := plan(t, prim(wit.U32), prim(wit.U32))
	call := core(func(context.Context, []uint64) error { return nil })
	for n := 1; n <= 11; n++ {
		i := s.NewInstance(nil)
		l := &canon.Lifted{Func: fn, Instance: i, Core: call}
		if _, err := l.Call(t.Context(), []any{uint32(1)}); isTrap(err) != (n > 10) {
			t.Errorf("%d calls: %v", n, err)
		}
		call = between(s.NewInstance(nil), l)
	}
	// Those that failed are over.
	l := &canon.Lifted{Func: fn, Instance: s.NewInstance(nil), Core: core(func(context.Context, []uint64) error { return nil })}
	if _, err := l.Call(t.Context(), []any{uint32(1)}); err != nil {
		t.Error(err)
	}
}

func TestTypesAreCapped(t *testing.T) {
	if _, err := canon.NewPlanner().Func(&wit.Func{Params: []wit.Field{{}}}); err == nil {
		t.Error("a missing type: no error")
	}
	wide := tuple(prim(wit.U64), prim(wit.U64))
	for range 24 {
		wide = tuple(wide, wide)
	}
	loop := list(nil)
	loop.Elem = loop
	deep := prim(wit.U8)
	for range 100_000 {
		deep = list(deep)
	}
	for name, of := range map[string]*wit.Type{
		"too large": wide, "endless": loop, "too deep": deep, "a list of nothing": list(nil),
		"an empty record": prim(wit.Record), "an empty variant": prim(wit.Variant), "an empty enum": prim(wit.Enum),
		"no flags": prim(wit.Flags), "33 flags": {Kind: wit.Flags, Names: make([]string, 33)},
		"an option of nothing": prim(wit.Option), "an own of nothing": prim(wit.Own), "no kind": {}, "a kind beyond": prim(200),
		"a borrow in a result": list(borrow(file)),
	} {
		if _, err := canon.NewPlanner().Func(&wit.Func{Result: of}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// Too deep only together with what is laid out already.
	inner := prim(wit.U8)
	for range 60 {
		inner = list(inner)
	}
	outer := inner
	for range 60 {
		outer = list(outer)
	}
	p := canon.NewPlanner()
	if _, err := p.Func(&wit.Func{Result: inner}); err != nil {
		t.Errorf("60 lists within each other: %v", err)
	}
	if _, err := p.Func(&wit.Func{Result: outer}); err == nil {
		t.Error("120 lists within each other: no error")
	}
	// Not too large in a memory of 32 bits; but in one of 64.
	text := &wit.Type{Kind: wit.Option, Elem: prim(wit.String)}
	wide = tuple(text, text, text)
	for range 22 {
		wide = tuple(wide, wide)
	}
	if _, err := canon.NewPlanner().Func(&wit.Func{Result: wide}); err == nil {
		t.Error("too large in a memory of 64 bits: no error")
	}
	// Not too large, though its paths are many.
	shared := tuple(prim(wit.U8))
	for range 20 {
		shared = tuple(shared, shared)
	}
	if _, err := canon.NewPlanner().Func(&wit.Func{Result: shared}); err != nil {
		t.Error(err)
	}
}

// Text of UTF-16 becomes longer.
func TestTextIsBounded(t *testing.T) {
	m := pages(t, 1)
	for unit, want := range map[uint16]bool{'a': false, '日': true} {
		for n := range uint32(1500) {
			m.WriteUint16Le(2*n, unit)
		}
		l := &canon.Lowered{
			Func: plan(t, nil, prim(wit.String)), Instance: canon.NewStore(canon.Config{Bytes: 5000}).NewInstance(nil),
			Options: canon.Options{Encoding: canon.UTF16, Memory: m},
			Callee:  canon.HostFunc(func(context.Context, []any) (any, error) { return nil, nil }),
		}
		if err := l.Call(t.Context(), []uint64{0, 1500}); isTrap(err) != want {
			t.Errorf("%c: %v", unit, err)
		}
	}
}

// The longest are refused for the memory that they would take, longer ones for their length.
func TestLongestOfAll(t *testing.T) {
	m := pages(t, 1<<12+1) // 256 MiB and a page
	type text = struct {
		encoding canon.Encoding
		longest  uint32
	}
	for _, c := range []text{{canon.UTF8, 1<<28 - 1}, {canon.UTF16, 1<<27 - 1}, {canon.Latin1UTF16, 1<<28 - 1}, {canon.Latin1UTF16, 1<<31 | 1<<27 - 1}} {
		for over := range uint32(2) {
			l := &canon.Lowered{
				Func: plan(t, nil, prim(wit.String)), Instance: canon.NewStore(canon.Config{}).NewInstance(nil),
				Options: canon.Options{Encoding: c.encoding, Memory: m}, Callee: canon.HostFunc(nil),
			}
			tooLong(t, l.Call(t.Context(), []uint64{8, uint64(c.longest + over)}), over == 1)
		}
	}
	for of, longest := range map[wit.Kind]uint32{wit.U8: 1<<28 - 1, wit.S64: 1<<25 - 1} {
		for over := range uint32(2) {
			_, err := returned(t, canon.Config{}, m, prim(of), 8, longest+over)
			tooLong(t, err, over == 1)
		}
	}
}

func tooLong(t *testing.T, err error, over bool) {
	t.Helper()
	want := "trap: the values of a call take more than 67108864 bytes"
	if over {
		want = "takes 268435456 bytes, more than 268435455"
	}
	if !isTrap(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Guests of real code: what they do happens in the core module, not in a test's function.
func TestGuestsThatMisbehave(t *testing.T) {
	answer := func(n uint32) wasmtest.Func {
		return wasmtest.Func{Export: "answer", Params: i32s(4), Results: i32s(1), Code: wasmtest.Const(int32(n))}
	}
	str := prim(wit.String)
	for name, c := range map[string]struct {
		realloc uint32
		ends    bool
	}{
		"beyond the memory": {1 << 18, true}, "across its end": {1<<18 - 3, true}, "far away": {1<<32 - 4, true},
		"misaligned": {1025, true}, "all the same": {1024, false}, "over the heap": {0, false}, "the last bytes": {1<<18 - 8, false},
	} {
		m := compiled(t, guest(answer(c.realloc)))
		l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), plan(t, nil, list(list(prim(wit.U32)))), "add")
		l.Options.Realloc = canon.Export(m, "answer")
		l.Core = canon.Export(m, "add")
		_, err := l.Call(t.Context(), []any{[]any{[]any{uint32(1), uint32(2)}}})
		if isTrap(err) != c.ends {
			t.Errorf("realloc answers %s: %v", name, err)
		}
	}
	m := compiled(t, guest())
	l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), plan(t, nil, str), "add")
	l.Options.Realloc = canon.Export(m, "broken")
	for range 2 {
		if _, err := l.Call(t.Context(), []any{"a"}); err == nil {
			t.Error("a realloc that traps is no error")
		}
	}
	_, err := l.Call(t.Context(), []any{"a"})
	if !isTrap(err) {
		t.Errorf("%v, want that it is poisoned", err)
	}
}

// A realloc that grows the memory has it moved.
func TestReallocGrowsTheMemory(t *testing.T) {
	grow := wasmtest.Func{Export: "grow", Params: i32s(4), Results: i32s(1), Code: []byte{
		0x41, 1, 0x40, 0, 0x41, 16, 0x74, // the page that was added
	}}
	m := compiled(t, guest(grow))
	str := list(prim(wit.String))
	l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), plan(t, str, str), "echo")
	l.Options.Realloc = canon.Export(m, "grow")
	args := []any{[]any{"one", "two", "three"}}
	for _, e := range []canon.Encoding{canon.UTF8, canon.Latin1UTF16} {
		l.Options.Encoding = e
		got, err := l.Call(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		if vs, ok := got.([]any); !ok || len(vs) != 3 || vs[0] != "one" || vs[2] != "three" {
			t.Errorf("got %q", got)
		}
	}
	if n := m.Memory().Size(); n < 8*1<<16 {
		t.Errorf("the memory has %d bytes, it did not grow", n)
	}
}

func TestPostReturnGetsWhatWasReturned(t *testing.T) {
	m := compiled(t, guest())
	str := list(prim(wit.String))
	l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), plan(t, str, str), "echo")
	l.Options.PostReturn = core(func(_ context.Context, stack []uint64) error {
		b, _ := m.Memory().Read(uint32(stack[0]), 8)
		if n := binary.LittleEndian.Uint32(b[4:]); stack[0] != 16 || n != 2 {
			t.Errorf("post-return is given %d", stack[0])
		}
		return nil
	})
	if _, err := l.Call(t.Context(), []any{[]any{"a", "b"}}); err != nil {
		t.Error(err)
	}
	l.Options.PostReturn = canon.Export(m, "broken")
	if _, err := l.Call(t.Context(), []any{[]any{}}); err == nil {
		t.Error("a post-return that traps is no error")
	}
}

// TestValuesOfNestedCallsAreBounded has calls within calls hold their values at the same time.
func TestValuesOfNestedCallsAreBounded(t *testing.T) {
	const size, most = 1 << 20, 4 << 20
	m := pages(t, 64)
	s := canon.NewStore(canon.Config{Bytes: most})
	opts := canon.Options{Memory: m, Realloc: core(func(_ context.Context, stack []uint64) error {
		stack[0] = 8
		return nil
	})}
	fn := plan(t, nil, list(prim(wit.U8)))
	depth := 0
	next := &canon.Lifted{Func: fn, Instance: s.NewInstance(nil), Options: opts, Core: core(func(context.Context, []uint64) error { return nil })}
	for range 20 {
		in := s.NewInstance(nil)
		calls := &canon.Lowered{Func: fn, Instance: in, Options: opts, Callee: next}
		next = &canon.Lifted{Func: fn, Instance: in, Options: opts, Core: core(func(ctx context.Context, _ []uint64) error {
			depth++
			return calls.Call(ctx, []uint64{8, size})
		})}
	}
	if _, err := next.Call(t.Context(), []any{make([]byte, size)}); !isTrap(err) || depth > most/size+1 {
		t.Errorf("%d calls hold %d bytes each: %v", depth, size, err)
	}
	// What was held is given back, also by calls that have failed.
	leaf := &canon.Lifted{Func: fn, Instance: s.NewInstance(nil), Options: opts, Core: core(func(context.Context, []uint64) error { return nil })}
	calls := &canon.Lowered{Func: fn, Instance: s.NewInstance(nil), Options: opts, Callee: leaf}
	for range 20 {
		if err := calls.Call(t.Context(), []uint64{8, size}); err != nil {
			t.Fatal(err)
		}
	}
}

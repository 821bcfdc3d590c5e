package canon_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
)

// vector is a case of testdata/vectors.py, which says what each field is.
type vector struct {
	Op     string            `json:"op"`
	Types  []json.RawMessage `json:"types"`
	Enc    canon.Encoding    `json:"enc"`
	Mem    string            `json:"mem"`
	Flat   []string          `json:"flat"`
	Values []json.RawMessage `json:"values"`
	Alloc  [][5]uint32       `json:"alloc"`
	Out    uint64            `json:"out"`
	Size   uint32            `json:"size"`
	Align  uint32            `json:"align"`
	Trap   bool              `json:"trap"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.Open("testdata/vectors.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectors(t *testing.T) {
	m := pages(t, 1)
	ran := map[string]int{}
	for n, v := range vectors(t) {
		b, _ := m.Read(0, 1<<16)
		clear(b)
		if err := v.run(t, m); err != nil {
			t.Errorf("vector %d, %s of %s: %v", n, v.Op, v.Types, err)
		}
		ran[v.Op+map[bool]string{true: " trap"}[v.Trap]]++
	}
	for _, op := range []string{"args", "result", "params", "returned"} {
		if ran[op] < 100 || ran[op+" trap"] < 100 {
			t.Errorf("%s: %d cases and %d traps, want 100 of each", op, ran[op], ran[op+" trap"])
		}
	}
}

func (v *vector) run(t *testing.T, m api.Memory) error {
	var types []*wit.Type
	for _, raw := range v.Types {
		types = append(types, typeOf(t, raw))
	}
	switch v.Op {
	case "args":
		return v.args(t, m, plan(t, nil, types...), types)
	case "result":
		return v.result(t, m, plan(t, types[0]), types)
	case "params":
		return v.params(t, m, plan(t, nil, types...), types)
	case "returned":
		return v.returned(t, m, plan(t, types[0]), types)
	default:
		return v.layout(t, types[0])
	}
}

func (v *vector) args(t *testing.T, m api.Memory, fn *canon.Func, types []*wit.Type) error {
	var flat []uint64
	i := canon.NewStore(canon.Config{}).NewInstance(nil)
	params, _ := fn.Lift()
	replay := &replay{memory: m, calls: v.Alloc}
	l := &canon.Lifted{Func: fn, Instance: i, Options: v.options(m, replay), Core: core(func(_ context.Context, stack []uint64) error {
		flat = append(flat, stack[:len(params)]...)
		return nil
	})}
	_, err := l.Call(context.Background(), v.decode(t, types))
	return v.lowered(m, flat, replay, err)
}

func (v *vector) result(t *testing.T, m api.Memory, fn *canon.Func, types []*wit.Type) error {
	replay := &replay{memory: m, calls: v.Alloc}
	l := &canon.Lowered{
		Func: fn, Instance: canon.NewStore(canon.Config{}).NewInstance(nil), Options: v.options(m, replay),
		Callee: canon.HostFunc(func(context.Context, []any) (any, error) { return v.decode(t, types)[0], nil }),
	}
	_, results := fn.Lower()
	stack := []uint64{v.Out}
	err := l.Call(context.Background(), stack)
	return v.lowered(m, stack[:len(results)], replay, err)
}

func (v *vector) options(m api.Memory, r *replay) canon.Options {
	return canon.Options{Encoding: v.Enc, Memory: m, Realloc: core(r.realloc)}
}

// lowered compares what was lowered.
func (v *vector) lowered(m api.Memory, flat []uint64, r *replay, err error) error {
	switch {
	case r.err != nil:
		return r.err
	case v.Trap && isTrap(err):
		return nil
	case v.Trap || err != nil:
		return fmt.Errorf("error %w, want a trap: %t", err, v.Trap)
	case len(r.calls) > 0:
		return fmt.Errorf("realloc is not asked for %v", r.calls)
	}
	if want := v.flat(); !reflect.DeepEqual(append([]uint64{}, flat...), want) {
		return fmt.Errorf("core values %x, want %x", flat, want)
	}
	got, _ := m.Read(0, 1<<16)
	want := make([]byte, 1<<16)
	copy(want, v.mem())
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("memory is not as it should be")
	}
	return nil
}

func (v *vector) params(t *testing.T, m api.Memory, fn *canon.Func, types []*wit.Type) error {
	var got []any
	m.Write(0, v.mem())
	l := &canon.Lowered{
		Func: fn, Instance: canon.NewStore(canon.Config{}).NewInstance(nil), Options: canon.Options{Encoding: v.Enc, Memory: m},
		Callee: canon.HostFunc(func(_ context.Context, args []any) (any, error) {
			got = args
			return nil, nil
		}),
	}
	err := l.Call(context.Background(), v.flat())
	return v.lifted(t, got, types, err)
}

func (v *vector) returned(t *testing.T, m api.Memory, fn *canon.Func, types []*wit.Type) error {
	m.Write(0, v.mem())
	l := &canon.Lifted{
		Func: fn, Instance: canon.NewStore(canon.Config{}).NewInstance(nil), Options: canon.Options{Encoding: v.Enc, Memory: m},
		Core: core(func(_ context.Context, stack []uint64) error {
			copy(stack, v.flat())
			return nil
		}),
	}
	got, err := l.Call(context.Background(), nil)
	return v.lifted(t, []any{got}, types, err)
}

// lifted compares what was lifted.
func (v *vector) lifted(t *testing.T, got []any, types []*wit.Type, err error) error {
	switch {
	case v.Trap && isTrap(err):
		return nil
	case v.Trap || err != nil:
		return fmt.Errorf("error %w, want a trap: %t", err, v.Trap)
	}
	// NaNs do not equal themselves, their text does.
	if want := v.decode(t, types); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		return fmt.Errorf("lifted %#v, want %#v", got, want)
	}
	return nil
}

// layout compares how a type is in memory and in core values.
func (v *vector) layout(t *testing.T, of *wit.Type) error {
	size, align, err := canon.SizeAlign(of)
	if err != nil || size != v.Size || align != v.Align {
		return fmt.Errorf("%d bytes aligned to %d, want %d and %d: %w", size, align, v.Size, v.Align, err)
	}
	params, _ := plan(t, nil, of).Lift()
	names := []string{}
	for _, p := range params {
		names = append(names, api.ValueTypeName(p))
	}
	want := []string{"i32"}
	if len(v.Flat) <= 16 {
		want = v.Flat
	}
	if !reflect.DeepEqual(names, want) {
		return fmt.Errorf("core values %s, want %s", names, want)
	}
	return nil
}

func (v *vector) flat() []uint64 {
	out := []uint64{}
	for _, s := range v.Flat {
		n, _ := strconv.ParseUint(s, 16, 64)
		out = append(out, n)
	}
	return out
}

func (v *vector) mem() []byte {
	b, _ := hex.DecodeString(v.Mem)
	return b
}

func (v *vector) decode(t *testing.T, types []*wit.Type) []any {
	out := []any{}
	for i, raw := range v.Values {
		out = append(out, valueOf(t, types[i], raw))
	}
	return out
}

// replay answers realloc as the vector says, and notes what it does not say.
type replay struct {
	memory api.Memory
	calls  [][5]uint32
	err    error
}

func (r *replay) realloc(_ context.Context, stack []uint64) error {
	got := [4]uint32{uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])}
	if len(r.calls) == 0 || got != [4]uint32(r.calls[0][:4]) {
		r.err = fmt.Errorf("realloc is asked for %v, want %v", got, r.calls)
		return r.err
	}
	p := r.calls[0][4]
	r.calls = r.calls[1:]
	n := min(got[1], got[3])
	from, ok := r.memory.Read(got[0], n)
	if to, there := r.memory.Read(p, n); ok && there {
		copy(to, from)
	}
	stack[0] = uint64(p)
	return nil
}

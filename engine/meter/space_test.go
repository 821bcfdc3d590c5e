package meter

import (
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// sectioned is a module of these sections.
func sectioned(sections ...[]byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		b = append(u32(append(b, s[0]), uint32(len(s)-1)), s[1:]...)
	}
	return b
}

// growing exports functions (i32) -> (i32) that grow the memory, and two tables, the second
// of which has a maximum of 10. It begins with one page and 4 elements.
func growing() []byte {
	table := func(t byte) []byte { return []byte{0, 0xd0, 0x70, opLocalGet, 0, opMisc, 15, t, opEnd} }
	bodies := [][]byte{{0, opLocalGet, 0, 0x40, 0, opEnd}, table(0), table(1)}
	code := []byte{secCode, byte(len(bodies))}
	for _, b := range bodies {
		code = append(append(code, byte(len(b))), b...)
	}
	return sectioned([]byte{secType, 1, 0x60, 1, 0x7f, 1, 0x7f}, []byte{secFunction, 3, 0, 0, 0},
		[]byte{secTable, 2, 0x70, 0, 2, 0x70, 1, 2, 10}, []byte{secMemory, 1, 0, 1},
		[]byte{secExport, 3, 1, 'm', 0, 0, 1, 't', 0, 1, 1, 'u', 0, 2}, code)
}

// heap is memory as wazero has it by itself.
type heap struct{ b []byte }

func (h *heap) Reallocate(size uint64) []byte {
	h.b = append(h.b, make([]byte, size-uint64(len(h.b)))...)
	return h.b
}

func (*heap) Free() {}

func TestSpaceBoundsMemoryAndTables(t *testing.T) {
	const fail = 0xffffffff
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		m, err := Parse(growing(), Options{Features: features})
		if err != nil {
			t.Fatal(err)
		}
		shape := m.Shape()
		if shape.Size() != PageSize+4*ElementSize || shape.TableSize() != 4*ElementSize {
			t.Errorf("it begins with %d bytes, %d in tables", shape.Size(), shape.TableSize())
		}
		s, b := NewSpace(4*PageSize), NewBudget(0)
		b.Space = s
		if !s.Take(shape.TableSize()) {
			t.Fatal("there is no room for its tables")
		}
		ctx := WithBudget(t.Context(), b)
		r := wazero.NewRuntimeWithConfig(ctx, c)
		defer r.Close(t.Context())
		if err := Define(ctx, r); err != nil {
			t.Fatal(err)
		}
		heaps := experimental.MemoryAllocatorFunc(func(uint64, uint64) experimental.LinearMemory { return new(heap) })
		guest, err := r.Instantiate(experimental.WithMemoryAllocator(ctx, s.Allocator(heaps)), m.Instrument())
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct {
			what   string
			n      uint64
			want   uint64
			used   int64
			denied bool
		}{
			{"m", 1, 1, 2*PageSize + 4*8, false},
			{"t", PageSize / 8, 2, 3*PageSize + 4*8, false},
			{"u", 9, fail, 3*PageSize + 4*8, false}, // beyond its own maximum: nothing is taken
			{"u", 8, 2, 3*PageSize + 12*8, false},
			{"u", 1, fail, 3*PageSize + 12*8, false},
			{"m", 1, fail, 3*PageSize + 12*8, true}, // tables have taken of that page
			{"t", PageSize / 8, fail, 3*PageSize + 12*8, true},
			{"t", fail, fail, 3*PageSize + 12*8, true},
			{"t", 0, 2 + PageSize/8, 3*PageSize + 12*8, true},
			{"t", PageSize/8 - 12, 2 + PageSize/8, 4 * PageSize, true}, // all there is
			{"t", 1, fail, 4 * PageSize, true},
		} {
			stack := []uint64{step.n}
			if err := guest.ExportedFunction(step.what).CallWithStack(ctx, stack); err != nil {
				t.Fatal(err)
			}
			if got := api.DecodeU32(stack[0]); uint64(got) != step.want || s.Used() != step.used || s.Denied() != step.denied {
				t.Errorf("step %d: growing %s by %d gives %d and %d bytes, denied: %v; want %+v", i, step.what, step.n, int32(got), s.Used(), s.Denied(), step)
			}
		}
	})
}

// TestTablesAreBounded: whatever room there is, they are filled within milliseconds.
func TestTablesAreBounded(t *testing.T) {
	runtimes(t, func(t *testing.T, c wazero.RuntimeConfig, _ bool) {
		ctx, b, guest := instance(t, c, growing(), 0)
		b.Space = NewSpace(1 << 40)
		for i, want := range []int32{-1, 2, -1} {
			n := []uint64{MaxElements + 1, MaxElements, 1}[i]
			out, err := guest.ExportedFunction("t").Call(ctx, n)
			if err != nil || api.DecodeI32(out[0]) != want {
				t.Errorf("growing by %d gives %v, %v", n, out, err)
			}
		}
	})
}

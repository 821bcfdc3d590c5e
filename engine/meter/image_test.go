package meter

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// TestImageIsWhatIsLeftOut puts an image into the memory of an instance that was made
// without, and holds it against that of one which copies its data.
func TestImageIsWhatIsLeftOut(t *testing.T) {
	long := strings.Repeat("realm ", minImage/6+1)
	for name, c := range map[string]struct {
		data     []segment
		segments int
	}{
		"none":              {nil, 0},
		"short":             {[]segment{{5, "abc"}}, 0},
		"one":               {[]segment{{5, long}}, 1},
		"at the end":        {[]segment{{4<<16 - int64(len(long)), long}}, 1},
		"empty ones":        {[]segment{{0, ""}, {7, long}, {4 << 16, ""}}, 1},
		"overlapping":       {[]segment{{100, long}, {50, "before and in it" + strings.Repeat("x", 99)}, {200, "in it"}}, 3},
		"far apart":         {[]segment{{0, long}, {200_000, "def"}}, 2},
		"together long":     {[]segment{{0, long[:minImage/2]}, {minImage, long[:minImage/2]}}, 2},
		"together too wide": {[]segment{{0, "a"}, {4<<16 - 1, "b"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := withData(c.data...)
			m, err := Parse(before, Options{Image: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Image()) != c.segments {
				t.Fatalf("%d segments, want %d", len(m.Image()), c.segments)
			}
			after := m.Instrument()
			again, err := wasm.Decode(after, Features{}, DefaultCaps())
			if err != nil || c.segments > 0 && len(again.Data) > 0 {
				t.Errorf("%d segments are left, %v", len(again.Data), err)
			}
			memory := memoryOf(t, after)
			for _, s := range m.Image() {
				copy(memory[s.At:], s.Init)
			}
			if !bytes.Equal(memory, memoryOf(t, before)) {
				t.Error("memory differs")
			}
		})
	}
}

// named is a module with passive and active data, and a function (i32 segment-offset) that
// copies a byte to address 9 from its segment number n, which some code names.
func named(n byte, long string) []byte {
	data := u32([]byte{secData, 2, 0, opI32Const, 0, opEnd}, uint32(len(long)))
	data = append(append(data, long...), 1, 3, 'x', 'y', 'z')
	body := []byte{0, opI32Const, 9, opLocalGet, 0, opI32Const, 1, opMisc, 8, n, 0, opEnd}
	return sectioned([]byte{secType, 1, 0x60, 1, 0x7f, 0}, []byte{secFunction, 1, 0}, []byte{secMemory, 1, 0, 2},
		[]byte{secExport, 2, 1, 'm', 2, 0, 1, 'f', 0, 0}, []byte{secDataCount, 2},
		append([]byte{secCode, 1, byte(len(body))}, body...), data)
}

func TestImageLeavesWhatCodeNames(t *testing.T) {
	long := strings.Repeat("a", minImage)
	for _, c := range []struct {
		segment byte
		from    uint64
		fine    bool
	}{{1, 2, true}, {1, 3, false}, {0, 0, false}} { // of the active one nothing is left
		m, err := Parse(named(c.segment, long), Options{Features: features, Image: true})
		if err != nil {
			t.Fatal(err)
		}
		if i := m.Image(); len(i) != 1 || len(i[0].Init) != minImage {
			t.Fatalf("segment %d: the image has %d segments", c.segment, len(i))
		}
		ctx := WithBudget(context.Background(), NewBudget(0))
		r := wazero.NewRuntime(ctx)
		if err := Define(ctx, r); err != nil {
			t.Fatal(err)
		}
		instance, err := r.Instantiate(ctx, m.Instrument())
		if err != nil {
			t.Fatal(err)
		}
		_, err = instance.ExportedFunction("f").Call(ctx, c.from)
		if (err == nil) != c.fine {
			t.Errorf("segment %d from %d: %v", c.segment, c.from, err)
		}
		if b, _ := instance.Memory().ReadByte(9); c.fine && b != 'z' {
			t.Errorf("%q was copied", b)
		}
		r.Close(ctx)
	}
}

func TestImageStaysWithTheRuntime(t *testing.T) {
	long := strings.Repeat("a", minImage)
	active := func(at ...byte) []byte {
		return append(u32(append(append([]byte{secData, 1, 0}, at...), opEnd), uint32(len(long))), long...)
	}
	imported := func(kind ...byte) []byte { return append([]byte{secImport, 1, 1, 'e', 1, 'x'}, kind...) }
	memory := []byte{secMemory, 1, 0, 2}
	for name, b := range map[string][]byte{
		"of another's memory":     sectioned(imported(2, 0, 2), active(opI32Const, 0)),
		"at an address of others": sectioned(imported(3, 0x7f, 0), memory, active(0x23, 0)),
		"beyond the end":          sectioned(memory, active(append([]byte{opI32Const}, s64(nil, 1<<16+1)...)...)),
		"below nothing":           sectioned(memory, active(opI32Const, 0x7f)),
	} {
		m, err := Parse(b, Options{Image: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := wasm.Decode(m.Instrument(), Features{}, DefaultCaps())
		if err != nil || len(m.Image()) > 0 || len(again.Data) != 1 || len(again.Data[0].Init) != minImage {
			t.Errorf("%s: %d segments in the image, %v", name, len(m.Image()), err)
		}
	}
}

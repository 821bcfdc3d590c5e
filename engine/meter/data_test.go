package meter

import (
	"bytes"
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// segment is an active data segment.
type segment struct {
	at   int64
	data string
}

func withData(segments ...segment) []byte {
	data := u32([]byte{secData}, uint32(len(segments)))
	for _, s := range segments {
		data = append(s64(append(data, 0, opI32Const), s.at), opEnd)
		data = append(u32(data, uint32(len(s.data))), s.data...)
	}
	return sectioned([]byte{secMemory, 1, 0, 4}, []byte{secExport, 1, 1, 'm', 2, 0}, data)
}

// TestMergedDataIsTheSame compares what two instances have in memory.
func TestMergedDataIsTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		data   []segment
		pieces int
	}{
		"none":         {nil, 0},
		"one":          {[]segment{{5, "abc"}}, 1},
		"side by side": {[]segment{{0, "abc"}, {3, "def"}, {6, ""}, {9, "g"}}, 1},
		"far apart":    {[]segment{{64, "abc"}, {200_000, "def"}, {200_200, "ghi"}}, 2},
		"falling":      {[]segment{{9, "abc"}, {0, "def"}}, 1},
		"overlapping":  {[]segment{{0, "abcd"}, {2, "XYZ"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := withData(c.data...)
			after, err := Instrument(before, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(memoryOf(t, before), memoryOf(t, after)) {
				t.Error("memory differs")
			}
			again, err := wasm.Decode(after, Features{}, DefaultCaps())
			if err != nil || len(again.Data) != c.pieces {
				t.Errorf("%d pieces of data, %v; want %d", len(again.Data), err, c.pieces)
			}
		})
	}
}

func memoryOf(t *testing.T, module []byte) []byte {
	t.Helper()
	ctx := WithBudget(context.Background(), NewBudget(0))
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	if err := Define(ctx, r); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := m.Memory().Read(0, m.Memory().Size())
	if !ok {
		t.Fatal("no memory")
	}
	return bytes.Clone(b)
}

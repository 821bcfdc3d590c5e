package module

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/realm-mesh/realm/runnerd/internal/wasmtest"
)

func TestParseRefusesBadInput(t *testing.T) {
	whole := wasmtest.Functions(wasmtest.Identity("f", wasmtest.I64))
	for name, c := range map[string]struct {
		in   []byte
		want error
		says string
	}{
		"nothing":            {nil, ErrNotWasm, "not a WebAssembly file"},
		"text":               {[]byte("#!/bin/sh\necho hello\n"), ErrNotWasm, "not a WebAssembly file"},
		"an ELF file":        {[]byte("\x7fELF\x02\x01\x01\x00\x00\x00"), ErrNotWasm, "not a WebAssembly file"},
		"half a header":      {[]byte("\x00asm\x01"), ErrNotWasm, "not a WebAssembly file"},
		"component":          {wasmtest.Component(), ErrComponent, "wasm32-wasip1"},
		"version 2":          {[]byte("\x00asm\x02\x00\x00\x00"), ErrInvalid, "version 2"},
		"cut short":          {whole[:len(whole)-5], ErrInvalid, "cut short"},
		"cut in a section":   {whole[:20], ErrInvalid, "cut short"},
		"vector bomb":        {wasmtest.VectorBomb(1), ErrInvalid, "types"},
		"no room for items":  {section1(1, 0x80, 0x08), ErrInvalid, "no room"},
		"unknown section":    {section1(13, 0), ErrInvalid, "not known"},
		"sections reversed":  {append(section1(3, 0), wasmtest.Section(1, []byte{0})...), ErrInvalid, "out of order"},
		"section twice":      {append(section1(1, 0), wasmtest.Section(1, []byte{0})...), ErrInvalid, "out of order"},
		"bytes too many":     {section1(1, 0, 0), ErrInvalid, "too many"},
		"unknown type":       {section1(3, 1, 0), ErrInvalid, "type 0 does not exist"},
		"no code":            {append(section1(1, 1, 0x60, 0, 0), wasmtest.Section(3, []byte{1, 0})...), ErrInvalid, "holds none"},
		"shared memory":      {section1(5, 1, 3, 1, 1), ErrInvalid, "shared"},
		"two memories":       {section1(5, 2, 0, 1, 0, 1), ErrInvalid, "memories"},
		"huge table":         {section1(4, 1, 0x70, 0, 0xff, 0xff, 0xff, 0x7f), ErrInvalid, "table"},
		"export of nothing":  {section1(7, 1, 1, 'f', 0, 0), ErrInvalid, "does not exist"},
		"name not UTF-8":     {section1(7, 1, 1, 0xff, 0, 0), ErrInvalid, "UTF-8"},
		"gc type":            {section1(1, 1, 0x5f, 0, 0), ErrInvalid, "newer extension"},
		"number too long":    {section1(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), ErrInvalid, "number"},
		"too many locals":    {code(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b), ErrInvalid, "local variables"},
		"start of nothing":   {section1(8, 5), ErrInvalid, "does not exist"},
		"data, no memory":    {section1(11, 1, 0, 0x41, 0, 0x0b, 0), ErrInvalid, "memory"},
		"endless expression": {section1(6, 1, 0x7f, 0, 0x41, 0, 0x6a), ErrInvalid, "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.in)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %v that says %q", err, c.want, c.says)
			}
		})
	}
}

func section1(id byte, body ...byte) []byte {
	return append(wasmtest.Header(), wasmtest.Section(id, body)...)
}

// code is a module of one function with this body.
func code(body ...byte) []byte {
	m := append(section1(1, 1, 0x60, 0, 0), wasmtest.Section(3, []byte{1, 0})...)
	return append(m, wasmtest.Section(10, append([]byte{1, byte(len(body))}, body...))...)
}

func TestParseReadsShape(t *testing.T) {
	b := wasmtest.Module{
		Imports:  []wasmtest.Import{{Module: "env", Name: "log", Params: []byte{wasmtest.I32}}},
		Funcs:    []wasmtest.Func{{Export: "mix", Params: []byte{wasmtest.I64, wasmtest.F32}, Results: []byte{wasmtest.F64}}, {Code: []byte{0x01}}},
		MinPages: 7,
	}.Bytes()
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Functions["mix"].String(); got != "(i64, f32) -> (f64)" {
		t.Errorf("signature %s", got)
	}
	if !slices.Equal(m.Names, []string{"mix"}) || m.MinPages != 7 || !m.Memory {
		t.Errorf("got %+v", m)
	}
	if want := (Import{"env", "log", KindFunction}); !slices.Equal(m.Imports, []Import{want}) {
		t.Errorf("imports %+v", m.Imports)
	}
}

// TestCompactKeepsMemory compares what two instances have in memory.
func TestCompactKeepsMemory(t *testing.T) {
	far := int32(200_000)
	for name, c := range map[string]struct {
		data   []wasmtest.Data
		pieces int
	}{
		"none":         {nil, 0},
		"one":          {[]wasmtest.Data{{Offset: 5, Bytes: []byte("abc")}}, 1},
		"side by side": {[]wasmtest.Data{{Offset: 0, Bytes: []byte("abc")}, {Offset: 3, Bytes: []byte("def")}, {Offset: 6}, {Offset: 9, Bytes: []byte("g")}}, 1},
		"far apart":    {[]wasmtest.Data{{Offset: 64, Bytes: []byte("abc")}, {Offset: far, Bytes: []byte("def")}, {Offset: far + 200, Bytes: []byte("ghi")}}, 2},
		"falling":      {[]wasmtest.Data{{Offset: 9, Bytes: []byte("abc")}, {Offset: 0, Bytes: []byte("def")}}, 1},
		"overlapping":  {[]wasmtest.Data{{Offset: 0, Bytes: []byte("abcd")}, {Offset: 2, Bytes: []byte("XYZ")}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := append(wasmtest.Module{MinPages: 4, Data: c.data}.Bytes(), wasmtest.Section(0, []byte("\x05extra and more"))...)
			m, err := Parse(before)
			if err != nil {
				t.Fatal(err)
			}
			after := m.Compact(before)
			if !bytes.Equal(memory(t, before), memory(t, after)) {
				t.Fatal("memory differs")
			}
			again, err := Parse(after)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(after, []byte("extra and more")) {
				t.Error("the custom section is still there")
			}
			if got := again.dataPieces(t); got != c.pieces {
				t.Errorf("%d pieces of data, want %d", got, c.pieces)
			}
		})
	}
}

func (m *Module) dataPieces(t *testing.T) int {
	for _, s := range m.sections {
		if s.id == sectionData {
			pieces, ok := m.readData(&reader{b: s.body})
			if !ok {
				t.Fatal("data is not simple")
			}
			return len(pieces)
		}
	}
	return 0
}

func memory(t *testing.T, wasm []byte) []byte {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	mod, err := r.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := mod.Memory().Read(0, mod.Memory().Size())
	if !ok {
		t.Fatal("no memory")
	}
	return bytes.Clone(b)
}

func TestCompactLeavesDataThatInstructionsName(t *testing.T) {
	data := []byte{2, 0, 0x41, 0, 0x0b, 1, 'a', 0, 0x41, 1, 0x0b, 1, 'b'}
	b := append(section1(5, 1, 0, 1), wasmtest.Section(12, []byte{2})...)
	b = append(b, wasmtest.Section(11, data)...)
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Compact(b), b) {
		t.Error("the module has changed")
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{wasmtest.VectorBomb(1), wasmtest.Component(), wasmtest.Exit3(), wasmtest.GrowMemory(),
		wasmtest.DeepTree(4), wasmtest.CompileBomb(3), wasmtest.Functions(wasmtest.Identity("f", wasmtest.F64)),
		wasmtest.Module{MinPages: 1, Data: []wasmtest.Data{{Offset: 1, Bytes: []byte("x")}, {Offset: 9, Bytes: []byte("y")}}}.Bytes(),
		section1(9, 1, 5, 0x70, 1, 0xd2, 0, 0x0b)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if m != nil {
				t.Fatal("an error with a module")
			}
			return
		}
		small := m.Compact(b)
		again, err := Parse(small)
		if err != nil {
			t.Fatalf("what compacting makes is refused: %v", err)
		}
		if !slices.Equal(again.Names, m.Names) || again.MinPages != m.MinPages || !slices.Equal(again.Imports, m.Imports) {
			t.Fatal("compacting has changed the shape")
		}
		if !bytes.Equal(again.Compact(small), small) {
			t.Fatal("compacting twice changes more")
		}
	})
}

package meter

import (
	"errors"
	"slices"
	"testing"
)

func TestShape(t *testing.T) {
	b := sectioned(
		[]byte{secType, 2, 0x60, 0, 0, 0x60, 2, 0x7e, 0x7d, 1, 0x7c},
		[]byte{secImport, 2, 3, 'e', 'n', 'v', 3, 'l', 'o', 'g', 0, 0, 1, 'h', 1, 't', 1, 0x70, 0, 200, 1},
		[]byte{secFunction, 2, 1, 0}, []byte{secTable, 1, 0x6f, 1, 5, 9}, []byte{secMemory, 1, 0, 7},
		[]byte{secExport, 3, 3, 'm', 'i', 'x', 0, 1, 6, '_', 's', 't', 'a', 'r', 't', 0, 2, 1, 'm', 2, 0},
		[]byte{secStart, 2},
		[]byte{secCode, 2, 11, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, opEnd, 2, 0, opEnd})
	m, err := Parse(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := m.Shape()
	if got := s.Functions["mix"].String(); got != "(i64, f32) -> (f64)" {
		t.Errorf("signature %s", got)
	}
	if !slices.Equal(s.Names, []string{"mix", "_start"}) || s.Kind() != Command || !s.Start {
		t.Errorf("got %+v", s)
	}
	if want := []Import{{"env", "log", KindFunction}, {"h", "t", KindTable}}; !slices.Equal(s.Imports, want) || s.Imports[1].Kind.String() != "table" {
		t.Errorf("imports %+v", s.Imports)
	}
	if want := []Limits{{Min: 200}, {Min: 5, Max: 9, HasMax: true}}; !slices.Equal(s.Tables, want) || !slices.Equal(s.Memories, []Limits{{Min: 7}}) {
		t.Errorf("tables %+v, memories %+v", s.Tables, s.Memories)
	}
	if s.Size() != 7*PageSize+5*ElementSize { // the table that it imports is another's
		t.Errorf("%d bytes", s.Size())
	}
	if (&Shape{Functions: map[string]Signature{EntryReactor: {}}}).Kind() != Reactor || new(Shape).Kind() != Library {
		t.Error("kinds are mistaken")
	}
}

func TestParseSaysWhatItIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		b    string
		want error
	}{
		"nothing":       {"", ErrNotWasm},
		"a script":      {"#!/bin/sh\necho", ErrNotWasm},
		"half a header": {"\x00asm\x01", ErrNotWasm},
		"a component":   {"\x00asm\x0d\x00\x01\x00", ErrComponent},
		"version 2":     {"\x00asm\x02\x00\x00\x00", nil},
		"reserved":      {string(sectioned([]byte{secType, 1, 0x60, 0, 0}, append([]byte{secImport, 1, 6}, ImportModule+"\x01x\x00\x00"...))), ErrReserved},
	} {
		_, err := Parse([]byte(c.b), Options{})
		if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && (errors.Is(err, ErrNotWasm) || errors.Is(err, ErrComponent)) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

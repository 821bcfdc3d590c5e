package wit

import (
	"strings"
	"testing"
)

// TestTextsAreShort has the text of a type stay short, whatever the type is made of.
func TestTextsAreShort(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	wide := &Type{Kind: Record, Fields: make([]Field, 10_000)}
	for i := range wide.Fields {
		wide.Fields[i] = Field{long, &Type{Kind: U8, Name: long}}
	}
	names := make([]string, 10_000)
	cases := make([]Case, len(names))
	for i := range names {
		names[i], cases[i].Name = long, long
	}
	deep := wide
	for range 90 {
		deep = &Type{Kind: Tuple, Fields: []Field{{Type: deep}, {Type: deep}, {Type: deep}}}
	}
	for _, of := range []*Type{wide, deep, {Kind: Flags, Names: names}, {Kind: Enum, Names: names}, {Kind: Variant, Cases: cases},
		{Kind: Own, Resource: &Resource{long}}, {Kind: Borrow, Resource: &Resource{long}}, {Kind: List, Elem: wide}} {
		f := Func{Params: []Field{{long, of}, {long, of}}, Result: of}
		if got := f.String(); len(got) > 2*maxText {
			t.Errorf("%d bytes: %.100s", len(got), got)
		}
	}
	f := Func{Params: []Field{{"a", &Type{Kind: Enum, Names: []string{"x", "y"}}}, {"b", &Type{Kind: Option, Elem: &Type{Kind: U8}}}},
		Result: &Type{Kind: Result, Err: &Type{Kind: Tuple, Fields: []Field{{Type: &Type{Kind: String}}, {Type: &Type{Kind: Own, Resource: &Resource{"r"}}}}}}}
	if got, want := f.String(), "func(a: enum { x, y }, b: option<u8>) -> result<_, tuple<string, r>>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

package binary

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// component is a component of sections.
func component(sections ...string) string {
	return magic + version + layer + strings.Join(sections, "")
}

// section is a section of less than 128 bytes.
func section(id byte, content string) string { return string([]byte{id, byte(len(content))}) + content }

const emptyModule = "\x00asm\x01\x00\x00\x00"

func TestDecode(t *testing.T) {
	inner := component(section(7, "\x01\x40\x01\x01a\x79\x00\x73"))
	b := component(
		section(0, "\x04noteabc"),
		section(1, emptyModule),
		section(2, "\x01\x00\x00\x01\x01m\x12\x05"),
		section(4, inner),
		section(6, "\x01\x00\x11\x02\x01\x07"),
		section(8, "\x01\x00\x00\x03\x02\x01\x03\x09\x02"),
		section(10, "\x01\x02\x01x\x01\x00\x05a:b/c\x05\x04"),
		section(11, "\x01\x00\x01y\x01\x06\x01\x01\x02"),
	)
	c, err := Decode([]byte(b), DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Custom) != 1 || c.Custom[0].Name != "note" || string(c.Custom[0].Data) != "abc" {
		t.Errorf("custom sections %v", c.Custom)
	}
	if m := c.Defs[0].Is.(*Module); string(m.Code) != emptyModule || m.Module == nil {
		t.Errorf("module %v", m)
	}
	if i := c.Defs[1].Is.(*CoreInst); i.Inline || !slices.Equal(i.Args, []CoreArg{{"m", 5}}) {
		t.Errorf("core instance %v", i)
	}
	in := c.Defs[2].Is.(*Component)
	if b[in.Offset:in.Offset+in.Len] != inner {
		t.Errorf("the nested component is at %d, %d", in.Offset, in.Len)
	}
	f := in.Defs[0].Is.(*TypeDef).Is.(*FuncType)
	if f.Params[0].Name != "a" || *f.Params[0].Type != (TypeRef{Prim: 0x79}) || *f.Result != (TypeRef{Prim: 0x73}) {
		t.Errorf("function type %v", f)
	}
	if a := c.Defs[3].Is.(*Alias); *a != (Alias{Kind: AliasOuter, Sort: CoreModule, Count: 1, Index: 7}) {
		t.Errorf("alias %v", a)
	}
	if l := c.Defs[4].Is.(*Canon); l.Op != Lift || l.Func != 3 || l.Type != 2 || l.Options.Encoding != UTF16 || *l.Options.Memory != 9 {
		t.Errorf("lift %v", l)
	}
	if i := c.Defs[5].Is.(*Import); i.Name != "x" || i.Implements != "a:b/c" || i.Desc != (Desc{Sort: InstanceSort, Index: 4}) {
		t.Errorf("import %v", i)
	}
	if e := c.Defs[6].Is.(*Export); e.Name != "y" || e.Ref != (Ref{Func, 6}) || *e.Desc != (Desc{Sort: Func, Index: 2}) {
		t.Errorf("export %v", e)
	}
}

func TestMalformed(t *testing.T) {
	huge := "\xff\xff\xff\xff\x0f"
	for _, c := range []struct{ bytes, reason string }{
		{"", "no WebAssembly"},
		{"\x7fELF\x01\x00\x00\x00", "no WebAssembly"},
		{emptyModule, "core module, not a component"},
		{"\x00asm\x0e\x00\x01\x00", "no component of version 13"},
		{component("\x63\x00"), "section 99 is not known"},
		{component("\x07"), "cut short"},
		{component("\x07\x05"), "cut short"},
		{component("\x07\xff\xff\xff\xff\xff"), "more than 32 bits"},
		{component(section(7, huge)), "types, at most"},
		{component(section(7, "\x7f")), "127 types are announced"},
		{component(section(7, "\x00\x00")), "goes on after its end, by 1"},
		{component(section(7, "\x01\x20")), "form of types 0x20 is not known"},
		{component(section(7, "\x01\x70\x41")), "primitive type 0x41 is not known"},
		{component(section(7, "\x01\x70\xff\xff\xff\xff\x7f")), "negative"},
		{component(section(7, "\x01\x72\x01\x01\xff\x79")), "not UTF-8"},
		{component(section(7, "\x01\x71\x01\x01a\x00\x01")), "end of a case 0x1"},
		{component(section(7, "\x01\x3f\x7d\x00")), "representation of a resource 0x7d"},
		{component(section(7, "\x01\x42\x01\x03\x00\x01a\x01\x00")), "declaration of a type 0x3"},
		{component(section(7, "\x01\x40\x00\x01\x01")), "list of results 0x1"},
		{component(section(1, emptyModule+"\x01\x01\x05")), "core module 0: it is cut short"},
		{component(section(1, "\x00asm")), "core module 0: "},
		{component(section(2, "\x01\x02")), "form of core instances 0x2"},
		{component(section(2, "\x01\x00\x00\x01\x01m\x00\x00")), "sort of an argument of a core module 0x0"},
		{component(section(2, "\x01\x01\x01\x01m\x05\x00")), "sort of core definitions 0x5"},
		{component(section(3, "\x01\x61")), "form of core types 0x61"},
		{component(section(3, "\x01\x60\x01\x20\x00")), "core value type 0x20"},
		{component(section(3, "\x01\x50\x01\x04")), "declaration of a module type 0x4"},
		{component(section(3, "\x01\x50\x01\x03\x00\x05\x00")), "kind of imports and exports of core modules 0x5"},
		{component(section(3, "\x01\x50\x01\x03\x00\x02\x10\x00")), "limits 0x10"},
		{component(section(3, "\x01\x50\x01\x03\x00\x03\x7f\x04")), "mutability 0x4"},
		{component(section(1, emptyModule+"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x1a\x0b")), "core module 0: function 0: drop: "},
		{component(section(7, "\x80\x80\x80\x80\x10\x00")), "more than 32 bits"},
		{component(section(3, "\x01\x50\x01\x02\x11")), "sort of an alias in a module type 0x11"},
		{component(section(3, "\x01\x50\x01\x00\x00\x00\x01\x7f\x00\x00")), "type of elements of a table 0x7f"},
		{component(section(4, emptyModule)), "core module, not a component"},
		{component(section(5, "\x01\x02")), "form of instances 0x2"},
		{component(section(6, "\x01\x06")), "sort 0x6"},
		{component(section(6, "\x01\x01\x03")), "form of aliases 0x3"},
		{component(section(6, "\x01\x05\x02\x01\x00")), "alias of something outside, of sort instance"},
		{component(section(8, "\x01\x00\x01")), "sort of what is lifted"},
		{component(section(8, "\x01\x01\x00\x00\x02\x00\x01")), "option 0x1 is there twice"},
		{component(section(8, "\x01\x01\x00\x00\x01\x0a")), "option 0xa is not known"},
		{component(section(8, "\x01\x50")), "canonical definition 0x50"},
		{component(section(10, "\x01\x03\x01a\x01\x00")), "form of names 0x3"},
		{component(section(10, "\x01\x02\x01a\x02\x02\x00\x02\x00\x01\x00")), "attribute 2 is twice there"},
		{component(section(10, "\x01\x02\x01a\x01\x03\x00\x01\x00")), "attribute 0x3 is not known"},
		{component(section(10, "\x01\x00\x01a\x00\x10\x00")), "sort of core imports 0x10"},
		{component(section(10, "\x01\x00\x01a\x06\x00")), "sort of imports and exports 0x6"},
		{component(section(11, "\x01\x00\x01a\x01\x00\x02")), "type of an export 0x2"},
	} {
		_, err := Decode([]byte(c.bytes), DefaultCaps())
		if e := new(Error); !errors.As(err, &e) || !strings.Contains(e.Reason, c.reason) || len(e.Missing) > 0 {
			t.Errorf("%q: %v, want %q", c.bytes, err, c.reason)
		} else if e.Offset > len(c.bytes) {
			t.Errorf("%q: byte %d is at fault, of %d", c.bytes, e.Offset, len(c.bytes))
		}
	}
}

func TestNotComponent(t *testing.T) {
	for _, b := range []string{"", "#!/bin/sh", emptyModule} {
		if _, err := Decode([]byte(b), DefaultCaps()); !errors.Is(err, ErrNotComponent) {
			t.Errorf("%q: %v", b, err)
		}
	}
	nested := component(section(4, emptyModule))
	if _, err := Decode([]byte(nested), DefaultCaps()); err == nil || errors.Is(err, ErrNotComponent) {
		t.Errorf("a component with a module for a component in it: %v", err)
	}
}

func TestMissingFeatures(t *testing.T) {
	for _, c := range []struct {
		bytes string
		want  []string
	}{
		{component(section(7, "\x01\x43\x00\x01\x00")), []string{async}},
		{component(section(7, "\x04\x66\x01\x7d\x65\x00\x67\x7d\x04\x63\x73\x73"), section(8, "\x01\x05")),
			[]string{streams, futures, fixedLists, maps, async}},
		{component(section(7, "\x01\x70\x64"), section(9, "\x00\x00\x00"), section(8, "\x01\x40\x00\x00")),
			[]string{errorContext, values, threads}},
		{component(section(4, component(section(3, "\x01\x5f\x00"))), section(10, "\x01\x00\x01a\x02\x01\x7f")), []string{gc, values}},
		{component(section(3, "\x01\x50\x01\x03\x00\x02\x05\x00"), section(3, "\x01\x50\x01\x03\x00\x02\x03\x00\x00")), []string{wideMemories, shared}},
		{component(section(3, "\x02\x50\x01\x03\x00\x04\x00\x00\x50\x01\x03\x00\x02\x08\x00\x00")), []string{tags, pageSizes}},
		{component(section(8, "\x01\x00\x00\x00\x03\x06\x07\x00\x09\x00")), []string{async, gc}},
		{component(section(8, "\x01\x00\x00\x00\x01\x08\x00\x00")), []string{gc}},
		{component(section(8, "\x03\x09\x00\x79\x01\x00\x0a\x7f\x00\x10\x00\x01\x06")), []string{async, streams}},
		{component(section(6, "\x01\x00\x04\x01\x00\x01t")), []string{tags}},
		{component(section(6, "\x01\x02\x00\x00\x01v")), []string{values}},
		{component(section(7, "\x01\x3f\x7e\x00"), section(7, "\x01\x64")), []string{wideMemories, errorContext}},
		{component(section(3, "\x01\x60\x01\x6e\x00"), section(3, "\x01\x60\x01\x69\x00"), section(3, "\x01\x65\x60\x00\x00")),
			[]string{gc, tags, threads}},
		{component(section(3, "\x01\x50\x01\x01\x5f\x00"), section(3, "\x01\x50\x01\x03\x00\x03\x7f\x02")), []string{gc, shared}},
	} {
		_, err := Decode([]byte(c.bytes), DefaultCaps())
		e := new(Error)
		if !errors.As(err, &e) || !slices.Equal(e.Missing, c.want) || e.Cause != nil {
			t.Errorf("%q: %v, want %v", c.bytes, err, c.want)
			continue
		}
		for _, f := range c.want {
			if !strings.Contains(e.Reason, f) {
				t.Errorf("%v does not name %s", err, f)
			}
		}
	}
}

// TestMissingAndWrong has a component that needs a feature, and has a broken module.
func TestMissingAndWrong(t *testing.T) {
	_, err := Decode([]byte(component(section(1, emptyModule+"\x20\x00"), section(8, "\x01\x05"))), DefaultCaps())
	if e := new(Error); !errors.As(err, &e) || !slices.Equal(e.Missing, []string{async}) {
		t.Errorf("%v", err)
	}
	if e := new(wasm.Error); !errors.As(err, &e) {
		t.Errorf("%v has no cause", err)
	}
}

func TestCaps(t *testing.T) {
	nested := component()
	for range 3 {
		nested = component(section(4, nested))
	}
	types := "\x42\x00"
	for range 3 {
		types = "\x42\x01\x01" + types
	}
	for _, c := range []struct {
		bytes, reason string
		lower         func(*Caps)
	}{
		{component(section(0, "\x01a")), "12 bytes, at most 10", func(c *Caps) { c.Bytes = 10 }},
		{nested, "nested deeper than 3", func(c *Caps) { c.Depth = 3 }},
		{component(section(7, "\x01"+types)), "nested deeper than 3", func(c *Caps) { c.Depth = 3 }},
		{nested, "more than 3 components", func(c *Caps) { c.Components = 3 }},
		{component(section(1, emptyModule), section(1, emptyModule)), "more than 1 core modules", func(c *Caps) { c.Modules = 1 }},
		{component(section(7, "\x02\x7f\x7f"), section(7, "\x01\x6f\x01\x7f")), "more than 3 definitions", func(c *Caps) { c.Items = 3 }},
		{component(section(7, "\x02\x7f\x7f")), "2 types, at most 1", func(c *Caps) { c.Space = 1 }},
		{component(section(7, "\x01\x6f\x02\x7f\x7f")), "2 elements, at most 1", func(c *Caps) { c.Fields = 1 }},
		{component(section(7, "\x01\x6e\x01\x02ab")), "name of 2 bytes, at most 1", func(c *Caps) { c.Name = 1 }},
		{component(section(1, emptyModule)), "core module 0: the module has 8 bytes, at most 7", func(c *Caps) { c.Core.Module = 7 }},
	} {
		caps := DefaultCaps()
		if _, err := Decode([]byte(c.bytes), caps); err != nil {
			t.Errorf("%q: %v", c.bytes, err)
		}
		c.lower(&caps)
		if _, err := Decode([]byte(c.bytes), caps); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%q: %v, want %q", c.bytes, err, c.reason)
		}
	}
}

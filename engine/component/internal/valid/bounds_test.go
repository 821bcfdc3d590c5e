package valid

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// types is a component that defines types one by one.
func types(defs ...binary.TypeDef) *binary.Component {
	c := &binary.Component{}
	for i := range defs {
		c.Defs = append(c.Defs, binary.Def{Is: &defs[i]})
	}
	return c
}

func refused(t *testing.T, c *binary.Component, caps binary.Caps, reason string) {
	t.Helper()
	if err := Check(c, caps); err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("%v, want %q", err, reason)
	}
}

// doubling are types each of which has the one before it in it twice.
func doubling(n uint32) *binary.Component {
	defs := []binary.TypeDef{{Is: &binary.ValType{Prim: 0x7d}}}
	for i := range n {
		r := binary.TypeRef{Index: i}
		defs = append(defs, binary.TypeDef{Is: &binary.ValType{Kind: binary.Result, OK: &r, Err: &r}})
	}
	return types(defs...)
}

func TestTypesThatDouble(t *testing.T) {
	caps := binary.DefaultCaps()
	if err := Check(doubling(18), caps); err != nil {
		t.Error(err)
	}
	refused(t, doubling(64), caps, "more than 1000000 parts")
}

// TestInstancesThatDouble has instance types double, which no value has to.
func TestInstancesThatDouble(t *testing.T) {
	doubling := func(n uint32) *binary.Component {
		defs := []binary.TypeDef{{Is: &binary.InstanceType{}}}
		for i := range n {
			outer := &binary.Alias{Kind: binary.AliasOuter, Sort: binary.Type, Count: 1, Index: i}
			desc := binary.Desc{Sort: binary.InstanceSort}
			defs = append(defs, binary.TypeDef{Is: &binary.InstanceType{Decls: []binary.Decl{
				{Is: outer}, {Is: &binary.ExportDecl{Name: "a", Desc: desc}}, {Is: &binary.ExportDecl{Name: "b", Desc: desc}},
			}}})
		}
		return types(defs...)
	}
	if err := Check(doubling(15), binary.DefaultCaps()); err != nil {
		t.Error(err)
	}
	refused(t, doubling(64), binary.DefaultCaps(), "more than 1000000 parts")
}

func TestDeepTypes(t *testing.T) {
	nested := func(n uint32) *binary.Component {
		defs := []binary.TypeDef{{Is: &binary.ValType{Prim: 0x7d}}}
		for i := range n {
			defs = append(defs, binary.TypeDef{Is: &binary.ValType{Kind: binary.List, Elem: binary.TypeRef{Index: i}}})
		}
		return types(defs...)
	}
	if err := Check(nested(100), binary.DefaultCaps()); err != nil {
		t.Error(err)
	}
	refused(t, nested(101), binary.DefaultCaps(), "nested deeper than 100")
}

// TestInstantiationsThatNest has a component that wraps the type which it is given, and is
// instantiated with what it made before: types are measured anew each time.
func TestInstantiationsThatNest(t *testing.T) {
	outer := &binary.Alias{Kind: binary.AliasOuter, Sort: binary.Type, Count: 1, Index: 1}
	wrap := &binary.Component{Defs: []binary.Def{
		{Is: &binary.TypeDef{Is: &binary.InstanceType{}}},
		{Is: &binary.Import{Name: "t", Desc: binary.Desc{Sort: binary.Type, Index: 0}}},
		{Is: &binary.TypeDef{Is: &binary.InstanceType{Decls: []binary.Decl{
			{Is: outer}, {Is: &binary.ExportDecl{Name: "x", Desc: binary.Desc{Sort: binary.InstanceSort}}}}}}},
		{Is: &binary.Export{Name: "u", Ref: binary.Ref{Sort: binary.Type, Index: 2}}},
	}}
	c := &binary.Component{Defs: []binary.Def{{Is: wrap}, {Is: &binary.TypeDef{Is: &binary.InstanceType{}}}}}
	for i := range uint32(2000) {
		c.Defs = append(c.Defs,
			binary.Def{Is: &binary.Inst{Component: 0, Args: []binary.Arg{{Name: "t", Ref: binary.Ref{Sort: binary.Type, Index: i}}}}},
			binary.Def{Is: &binary.Alias{Kind: binary.AliasExport, Sort: binary.Type, Instance: i, Name: "u"}})
	}
	refused(t, c, binary.DefaultCaps(), "nested deeper than 1000")
}

func TestSizeOfValues(t *testing.T) {
	tuple := func(of binary.TypeRef) binary.TypeDef {
		v := &binary.ValType{Kind: binary.Tuple}
		for range 100 {
			v.Fields = append(v.Fields, binary.Field{Type: &of})
		}
		return binary.TypeDef{Is: v}
	}
	caps := binary.DefaultCaps()
	caps.TypeSize, caps.Work = 1<<30, 1<<40
	defs := []binary.TypeDef{tuple(binary.TypeRef{Prim: 0x77}), tuple(binary.TypeRef{Index: 0}), tuple(binary.TypeRef{Index: 1})}
	if err := Check(types(defs...), caps); err != nil {
		t.Error(err)
	}
	refused(t, types(append(defs, tuple(binary.TypeRef{Index: 2}))...), caps, "less than 268435456")
}

func TestWork(t *testing.T) {
	caps := binary.DefaultCaps()
	caps.Work = 20
	refused(t, doubling(18), caps, "more than 20 steps")
}

func TestSpace(t *testing.T) {
	caps := binary.DefaultCaps()
	caps.Space = 18
	refused(t, doubling(18), caps, "more than 18 entries")
}

// FuzzCheck looks for components that panic, that are refused without a reason, or not
// each time alike. Their work is counted, so that none takes long.
func FuzzCheck(f *testing.F) {
	for _, folder := range []string{"valid", "invalid"} {
		cases(f, folder, func(_, _ string, b []byte) { f.Add(b) })
	}
	caps := binary.DefaultCaps()
	caps.Work = 100_000
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := binary.Decode(bytes.Clone(b), caps)
		if err != nil {
			return
		}
		first, second := Check(c, caps), Check(c, caps)
		e := new(binary.Error)
		switch {
		case first == nil:
			inRange(t, c)
		case !errors.As(first, &e) || e.Reason == "" || e.Offset < 0 || e.Offset > len(b):
			t.Errorf("%#v is no reason", first)
		case second == nil || second.Error() != first.Error():
			t.Errorf("%v, and then %v", first, second)
		}
	})
}

package valid

import (
	"fmt"
	"testing"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
)

// TestLayout has sizes and alignments as definitions of the Canonical ABI have them, with
// pointers of 64 bits.
func TestLayout(t *testing.T) {
	of := func(prims ...binary.Prim) (fields []binary.Field) {
		for i, p := range prims {
			f := binary.Field{Name: fmt.Sprint("f", i)}
			if p != 0 {
				f.Type = &binary.TypeRef{Prim: p}
			}
			fields = append(fields, f)
		}
		return fields
	}
	names := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint("n", i))
		}
		return names
	}
	ref := func(p binary.Prim) *binary.TypeRef { return &binary.TypeRef{Prim: p} }
	for _, c := range []struct {
		t           binary.ValType
		size, align uint64
	}{
		{binary.ValType{Prim: bool8}, 1, 1},
		{binary.ValType{Prim: s16}, 2, 2},
		{binary.ValType{Prim: char}, 4, 4},
		{binary.ValType{Prim: f64}, 8, 8},
		{binary.ValType{Prim: str}, 16, 8},
		{binary.ValType{Kind: binary.Record, Fields: of(u8, u32, u8)}, 12, 4},
		{binary.ValType{Kind: binary.Tuple, Fields: of(u8, u8, u16)}, 4, 2},
		{binary.ValType{Kind: binary.Variant, Fields: of(0, u8, u64)}, 16, 8},
		{binary.ValType{Kind: binary.Option, Elem: *ref(u16)}, 4, 2},
		{binary.ValType{Kind: binary.Result}, 1, 1},
		{binary.ValType{Kind: binary.Result, OK: ref(u8), Err: ref(f32)}, 8, 4},
		{binary.ValType{Kind: binary.List, Elem: *ref(u8)}, 16, 8},
		{binary.ValType{Kind: binary.Enum, Names: names(256)}, 1, 1},
		{binary.ValType{Kind: binary.Enum, Names: names(257)}, 2, 2},
		{binary.ValType{Kind: binary.Flags, Names: names(8)}, 1, 1},
		{binary.ValType{Kind: binary.Flags, Names: names(9)}, 2, 2},
		{binary.ValType{Kind: binary.Flags, Names: names(17)}, 4, 4},
	} {
		k := &checker{caps: binary.DefaultCaps()}
		got := k.valType(newScope(k, inComponent, nil), &c.t)
		if got.bytes != c.size || got.align != c.align {
			t.Errorf("%v has %d bytes, aligned to %d; %d, %d are right", described{got}, got.bytes, got.align, c.size, c.align)
		}
	}
}

package canon_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-mesh/realm/engine/component/internal/canon"
	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

func i32s(n int) []byte { return bytes.Repeat([]byte{wasmtest.I32}, n) }

// guest is a core module of four pages that has
//
//	realloc   takes memory from 1024 on; it never frees
//	echo      returns the list that it is given, and frees all
//	add       adds two numbers
//	stuck     never returns
//	broken    traps
func guest(more ...wasmtest.Func) wasmtest.Module {
	return wasmtest.Module{
		MinPages: 4,
		Data:     []wasmtest.Data{{Offset: 0, Bytes: []byte{0, 4}}},
		Funcs: append([]wasmtest.Func{
			{Export: "realloc", Params: i32s(4), Results: i32s(1), Code: []byte{
				0x41, 0, 0x28, 2, 0, 0x20, 2, 0x6a, 0x41, 0x7f, 0x6a, // heap + align - 1
				0x41, 0, 0x20, 2, 0x6b, 0x71, 0x21, 2, // & -align, in local 2
				0x41, 0, 0x20, 2, 0x20, 3, 0x6a, 0x36, 2, 0, // heap = it + size
				0x20, 2, 0x20, 0, 0x20, 1, 0x20, 3, 0x20, 1, 0x20, 3, 0x49, 0x1b, 0xfc, 10, 0, 0, // copy
				0x20, 2,
			}},
			{Export: "echo", Params: i32s(2), Results: i32s(1), Code: []byte{
				0x41, 16, 0x20, 0, 0x36, 2, 0, 0x41, 16, 0x20, 1, 0x36, 2, 4, // pointer and length to 16
				0x41, 0, 0x41, 0x80, 8, 0x36, 2, 0, // heap = 1024
				0x41, 16,
			}},
			{Export: "add", Params: i32s(2), Results: i32s(1), Code: []byte{0x20, 0, 0x20, 1, 0x6a}},
			{Export: "stuck", Params: i32s(4), Results: i32s(1), Code: []byte{0x03, 0x40, 0x0c, 0, 0x0b, 0x00}},
			{Export: "broken", Params: i32s(4), Results: i32s(1), Code: []byte{0}},
		}, more...),
	}
}

// lifted is a function that a module exports by a name.
func lifted(m api.Module, i *canon.Instance, fn *canon.Func, name string) *canon.Lifted {
	return &canon.Lifted{Func: fn, Instance: i, Core: canon.Export(m, name), Options: canon.Options{
		Memory: m.Memory(), Realloc: canon.Export(m, "realloc"),
	}}
}

func tuple(of ...*wit.Type) *wit.Type {
	t := prim(wit.Tuple)
	for _, f := range of {
		t.Fields = append(t.Fields, wit.Field{Type: f})
	}
	return t
}

func BenchmarkCall(b *testing.B) {
	headers := list(tuple(prim(wit.String), list(prim(wit.U8))))
	var twenty []any
	for range 20 {
		twenty = append(twenty, []any{"content-type", []byte("text/html; charset=utf-8")})
	}
	bench := func(name, export string, fn *canon.Func, args ...any) {
		b.Run(name, func(b *testing.B) {
			m := compiled(b, guest())
			l := lifted(m, canon.NewStore(canon.Config{}).NewInstance(nil), fn, export)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Call(b.Context(), args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("scalars", "add", plan(b, prim(wit.U32), prim(wit.U32), prim(wit.U32)), uint32(1), uint32(2))
	bench("headers", "echo", plan(b, headers, headers), twenty)
	bench("64KiB", "echo", plan(b, list(prim(wit.U8)), list(prim(wit.U8))), make([]byte, 1<<16))
	b.Run("import", func(b *testing.B) {
		l := &canon.Lowered{
			Func: plan(b, prim(wit.U32), prim(wit.U32), prim(wit.Bool)), Instance: canon.NewStore(canon.Config{}).NewInstance(nil),
			Callee: canon.HostFunc(func(_ context.Context, args []any) (any, error) { return args[0], nil }),
		}
		stack := []uint64{1 << 20, 1}
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Call(b.Context(), stack); err != nil {
				b.Fatal(err)
			}
		}
	})
	bench("u32s", "echo", plan(b, list(prim(wit.U32)), list(prim(wit.U32))), numbers(1<<14))
}

func numbers(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

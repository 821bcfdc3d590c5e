package valid

import (
	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// The most core parameters and results that carry values: beyond, they go through memory.
const (
	maxFlatParams  = 16
	maxFlatResults = 1
)

// flat is how values of a type are core values (Canonical ABI, "Flattening").
type flat struct {
	types []wasm.ValueType // at most maxFlatParams+1: then there are more
	// memory: a list or string is in it, which is in memory however few values there are.
	memory bool
}

func (f *flat) add(o *flat) {
	f.memory = f.memory || o.memory
	f.types = append(f.types, o.types[:min(len(o.types), maxFlatParams+1-len(f.types))]...)
}

// choose makes it a number of a case, and what can hold any of cases.
func (f *flat) choose(cases []*flat) {
	joined := []wasm.ValueType{wasm.I32}
	for _, c := range cases {
		f.memory = f.memory || c.memory
		for i, t := range c.types {
			if i++; i >= maxFlatParams+1 {
				break
			}
			if i == len(joined) {
				joined = append(joined, t)
			} else {
				joined[i] = join(joined[i], t)
			}
		}
	}
	f.types = joined
}

// join returns the core type that can hold both.
func join(a, b wasm.ValueType) wasm.ValueType {
	switch {
	case a == b:
		return a
	case a != wasm.I64 && a != wasm.F64 && b != wasm.I64 && b != wasm.F64:
		return wasm.I32 // f32 and i32
	}
	return wasm.I64
}

// flatten returns how t is core values; nil is none.
func (k *checker) flatten(t *valType) *flat {
	k.step(1)
	if t == nil {
		return &flat{}
	}
	if t.kind == 0 {
		return flatPrim(t.prim)
	}
	if t.flat != nil {
		return t.flat
	}
	k.step(nodeWork + len(t.fields))
	f := &flat{}
	switch t.kind {
	case binary.Record, binary.Tuple:
		for _, p := range t.fields {
			f.add(k.flatten(p.t))
		}
	case binary.Variant:
		f.choose(k.flattenAll(t.fields))
	case binary.Option:
		f.choose([]*flat{k.flatten(t.elem)})
	case binary.Result:
		f.choose([]*flat{k.flatten(t.ok), k.flatten(t.err)})
	case binary.List:
		*f = *flatPrim(str)
	default: // flags, enums and handles
		f.types = []wasm.ValueType{wasm.I32}
	}
	t.flat = f
	return f
}

func (k *checker) flattenAll(fields []field) []*flat {
	out := make([]*flat, len(fields))
	for i, f := range fields {
		out[i] = k.flatten(f.t)
	}
	return out
}

func flatPrim(p binary.Prim) *flat {
	switch p {
	case str:
		return &flat{types: []wasm.ValueType{wasm.I32, wasm.I32}, memory: true}
	case s64, u64:
		return &flat{types: []wasm.ValueType{wasm.I64}}
	case f32:
		return &flat{types: []wasm.ValueType{wasm.F32}}
	case f64:
		return &flat{types: []wasm.ValueType{wasm.F64}}
	}
	return &flat{types: []wasm.ValueType{wasm.I32}}
}

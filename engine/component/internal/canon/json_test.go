package canon_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
)

var kinds = map[string]wit.Kind{
	"bool": wit.Bool, "s8": wit.S8, "u8": wit.U8, "s16": wit.S16, "u16": wit.U16, "s32": wit.S32, "u32": wit.U32,
	"s64": wit.S64, "u64": wit.U64, "f32": wit.F32, "f64": wit.F64, "char": wit.Char, "string": wit.String,
	"list": wit.List, "record": wit.Record, "tuple": wit.Tuple, "variant": wit.Variant, "enum": wit.Enum,
	"option": wit.Option, "result": wit.Result, "flags": wit.Flags,
}

// typeOf is a type as the vectors have it; nil for null.
func typeOf(t testing.TB, raw json.RawMessage) *wit.Type {
	t.Helper()
	if string(raw) == "null" {
		return nil
	}
	if raw[0] == '"' {
		return prim(kinds[parse[string](t, raw)])
	}
	for name, of := range parse[map[string]json.RawMessage](t, raw) {
		out := prim(kinds[name])
		switch out.Kind {
		case wit.List, wit.Option:
			out.Elem = typeOf(t, of)
		case wit.Record, wit.Tuple:
			for _, f := range parse[[]json.RawMessage](t, of) {
				out.Fields = append(out.Fields, wit.Field{Name: "f", Type: typeOf(t, f)})
			}
		case wit.Variant:
			for _, c := range parse[[]json.RawMessage](t, of) {
				out.Cases = append(out.Cases, wit.Case{Name: "c", Type: typeOf(t, c)})
			}
		case wit.Result:
			both := parse[[]json.RawMessage](t, of)
			out.OK, out.Err = typeOf(t, both[0]), typeOf(t, both[1])
		default:
			out.Names = make([]string, parse[int](t, of))
		}
		return out
	}
	t.Fatalf("no type: %s", raw)
	return nil
}

// valueOf is a value as the vectors have it.
func valueOf(t testing.TB, of *wit.Type, raw json.RawMessage) any {
	t.Helper()
	switch of.Kind {
	case wit.Bool:
		return parse[bool](t, raw)
	case wit.S8:
		return parse[int8](t, raw)
	case wit.U8:
		return parse[uint8](t, raw)
	case wit.S16:
		return parse[int16](t, raw)
	case wit.U16:
		return parse[uint16](t, raw)
	case wit.S32, wit.Char:
		return parse[int32](t, raw)
	case wit.U32, wit.Enum, wit.Flags:
		return parse[uint32](t, raw)
	case wit.S64:
		n, _ := strconv.ParseInt(parse[string](t, raw), 10, 64)
		return n
	case wit.U64:
		n, _ := strconv.ParseUint(parse[string](t, raw), 10, 64)
		return n
	case wit.F32:
		n, _ := strconv.ParseUint(parse[string](t, raw), 16, 32)
		return math.Float32frombits(uint32(n))
	case wit.F64:
		n, _ := strconv.ParseUint(parse[string](t, raw), 16, 64)
		return math.Float64frombits(n)
	case wit.String:
		return parse[string](t, raw)
	}
	return compoundOf(t, of, raw)
}

func compoundOf(t testing.TB, of *wit.Type, raw json.RawMessage) any {
	t.Helper()
	switch of.Kind {
	case wit.List:
		if of.Elem.Kind == wit.U8 {
			b, _ := hex.DecodeString(parse[string](t, raw))
			return b
		}
		out := []any{}
		for _, e := range parse[[]json.RawMessage](t, raw) {
			out = append(out, valueOf(t, of.Elem, e))
		}
		return out
	case wit.Record, wit.Tuple:
		out := []any{}
		for i, e := range parse[[]json.RawMessage](t, raw) {
			out = append(out, valueOf(t, of.Fields[i].Type, e))
		}
		return out
	}
	c := parse[struct {
		Case  uint32
		Value json.RawMessage
	}](t, raw)
	if c.Value == nil {
		return wit.Choice{Case: c.Case}
	}
	return wit.Choice{Case: c.Case, Value: valueOf(t, held(of, c.Case), c.Value)}
}

func held(of *wit.Type, c uint32) *wit.Type {
	switch {
	case of.Kind == wit.Option:
		return of.Elem
	case of.Kind == wit.Result && c == 0:
		return of.OK
	case of.Kind == wit.Result:
		return of.Err
	}
	return of.Cases[c].Type
}

func parse[T any](t testing.TB, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

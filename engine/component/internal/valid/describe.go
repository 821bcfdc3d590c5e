package valid

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/engine/component/internal/binary"
	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// signature writes the type of a core function, as far as people read.
type signature struct{ *wasm.FuncType }

func (s signature) String() string { return values(s.Params) + " -> " + values(s.Results) }

func values(of []wasm.ValueType) string {
	const most = 20
	var names []string
	for _, v := range of[:min(len(of), most)] {
		names = append(names, v.String())
	}
	if len(of) > most {
		names = append(names, "…")
	}
	return "[" + strings.Join(names, " ") + "]"
}

// described writes the form of a type of values.
type described struct{ *valType }

func (d described) String() string {
	if d.kind == 0 {
		return [...]string{"string", "char", "f64", "f32", "u64", "s64", "u32", "s32", "u16", "s16", "u8", "s8", "bool"}[d.prim-str]
	}
	form := map[binary.ValKind]string{binary.Record: "record", binary.Variant: "variant", binary.List: "list", binary.Tuple: "tuple",
		binary.Flags: "flags", binary.Enum: "enum", binary.Option: "option", binary.Result: "result", binary.Own: "own", binary.Borrow: "borrow"}[d.kind]
	if n := len(d.fields) + len(d.names); n > 0 {
		return fmt.Sprintf("%s of %d", form, n)
	}
	return form
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// article is what is named, with its article.
func article(s fmt.Stringer) string {
	n := s.String()
	if strings.ContainsRune("aeiou", rune(n[0])) {
		return "an " + n
	}
	return "a " + n
}

package wit

import "strings"

// Bounds of the text of a type, in bytes, about: of all of it, and of a name in it.
const (
	maxText = 4096
	maxName = 200
)

// text is that of a type, as far as there is room.
type text struct{ b strings.Builder }

func (t *text) full() bool { return t.b.Len() > maxText }

// add adds s, or that there would be more.
func (t *text) add(s string) {
	if t.full() {
		return
	}
	t.b.WriteString(s)
	if t.full() {
		t.b.WriteString("…")
	}
}

// name adds a name.
func (t *text) name(s string) {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	t.add(s)
}

var kinds = map[Kind]string{Bool: "bool", S8: "s8", U8: "u8", S16: "s16", U16: "u16", S32: "s32", U32: "u32",
	S64: "s64", U64: "u64", F32: "f32", F64: "f64", Char: "char", String: "string"}

// String is the type as WIT has it: its name, where it has one.
func (t *Type) String() string {
	var b text
	t.write(&b)
	return b.b.String()
}

// String is the type as WIT has it.
func (f *Func) String() string {
	var b text
	b.add("func")
	writeFields(&b, "(", f.Params, ")")
	if f.Result != nil {
		b.add(" -> ")
		f.Result.write(&b)
	}
	return b.b.String()
}

func (t *Type) write(b *text) {
	if b.full() {
		return
	}
	if t.Name != "" {
		b.name(t.Name)
		return
	}
	switch t.Kind {
	case List, Option:
		b.add(map[Kind]string{List: "list<", Option: "option<"}[t.Kind])
		t.Elem.write(b)
		b.add(">")
	case Own:
		b.name(t.Resource.Name)
	case Borrow:
		b.add("borrow<")
		b.name(t.Resource.Name)
		b.add(">")
	case Record:
		writeFields(b, "record { ", t.Fields, " }")
	case Tuple:
		writeFields(b, "tuple<", t.Fields, ">")
	case Variant:
		writeCases(b, t.Cases)
	case Enum:
		writeNames(b, "enum { ", t.Names)
	case Flags:
		writeNames(b, "flags { ", t.Names)
	case Result:
		t.writeResult(b)
	default:
		b.add(kinds[t.Kind])
	}
}

func writeFields(b *text, begin string, fields []Field, end string) {
	b.add(begin)
	for i, f := range fields {
		if b.full() {
			return
		}
		if i > 0 {
			b.add(", ")
		}
		if f.Name != "" {
			b.name(f.Name)
			b.add(": ")
		}
		f.Type.write(b)
	}
	b.add(end)
}

func writeNames(b *text, begin string, names []string) {
	b.add(begin)
	for i, name := range names {
		if b.full() {
			return
		}
		if i > 0 {
			b.add(", ")
		}
		b.name(name)
	}
	b.add(" }")
}

func writeCases(b *text, cases []Case) {
	b.add("variant { ")
	for i, c := range cases {
		if b.full() {
			return
		}
		if i > 0 {
			b.add(", ")
		}
		b.name(c.Name)
		if c.Type != nil {
			b.add("(")
			c.Type.write(b)
			b.add(")")
		}
	}
	b.add(" }")
}

func (t *Type) writeResult(b *text) {
	b.add("result")
	if t.OK == nil && t.Err == nil {
		return
	}
	b.add("<")
	if t.OK != nil {
		t.OK.write(b)
	} else {
		b.add("_")
	}
	if t.Err != nil {
		b.add(", ")
		t.Err.write(b)
	}
	b.add(">")
}

package wit

import "strings"

// maxText is how long the text of a type becomes, about, in bytes.
const maxText = 4096

var kinds = map[Kind]string{Bool: "bool", S8: "s8", U8: "u8", S16: "s16", U16: "u16", S32: "s32", U32: "u32",
	S64: "s64", U64: "u64", F32: "f32", F64: "f64", Char: "char", String: "string"}

// String is the type as WIT has it: its name, where it has one.
func (t *Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

// String is the type as WIT has it.
func (f *Func) String() string {
	var b strings.Builder
	b.WriteString("func")
	writeFields(&b, "(", f.Params, ")")
	if f.Result != nil {
		b.WriteString(" -> ")
		f.Result.write(&b)
	}
	return b.String()
}

func (t *Type) write(b *strings.Builder) {
	if b.Len() > maxText {
		b.WriteString("…")
		return
	}
	if t.Name != "" {
		b.WriteString(t.Name)
		return
	}
	switch t.Kind {
	case List, Option:
		b.WriteString(map[Kind]string{List: "list<", Option: "option<"}[t.Kind])
		t.Elem.write(b)
		b.WriteByte('>')
	case Own:
		b.WriteString(t.Resource.Name)
	case Borrow:
		b.WriteString("borrow<" + t.Resource.Name + ">")
	case Record:
		writeFields(b, "record { ", t.Fields, " }")
	case Tuple:
		writeFields(b, "tuple<", t.Fields, ">")
	case Variant:
		writeCases(b, t.Cases)
	case Enum:
		b.WriteString("enum { " + strings.Join(t.Names, ", ") + " }")
	case Flags:
		b.WriteString("flags { " + strings.Join(t.Names, ", ") + " }")
	case Result:
		t.writeResult(b)
	default:
		b.WriteString(kinds[t.Kind])
	}
}

func writeFields(b *strings.Builder, begin string, fields []Field, end string) {
	b.WriteString(begin)
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		if f.Name != "" {
			b.WriteString(f.Name + ": ")
		}
		f.Type.write(b)
	}
	b.WriteString(end)
}

func writeCases(b *strings.Builder, cases []Case) {
	b.WriteString("variant { ")
	for i, c := range cases {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
		if c.Type != nil {
			b.WriteByte('(')
			c.Type.write(b)
			b.WriteByte(')')
		}
	}
	b.WriteString(" }")
}

func (t *Type) writeResult(b *strings.Builder) {
	b.WriteString("result")
	if t.OK == nil && t.Err == nil {
		return
	}
	b.WriteByte('<')
	if t.OK != nil {
		t.OK.write(b)
	} else {
		b.WriteByte('_')
	}
	if t.Err != nil {
		b.WriteString(", ")
		t.Err.write(b)
	}
	b.WriteByte('>')
}

package wasmtest

// Sections puts a component together of its sections.
func Sections(sections ...[]byte) []byte {
	out := []byte("\x00asm\x0d\x00\x01\x00")
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

// List is a section of a component that is a list of definitions, each as [Join] makes it.
func List(id byte, definitions ...[]byte) []byte {
	var v vec
	v.add(definitions...)
	return Section(id, append(u32(uint32(len(definitions))), v.b...))
}

// Repeat is such a section, of n definitions.
func Repeat(id byte, n int, definition func(i int) []byte) []byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = definition(i)
	}
	return List(id, list...)
}

// Join encodes parts one after another: a byte as it is, an int as an unsigned number, a
// string as a name, and []byte as they are.
func Join(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case int:
			b = append(b, u32(uint32(p))...)
		case string:
			b = append(b, str(p)...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

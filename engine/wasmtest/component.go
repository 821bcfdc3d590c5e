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

// Runs is a component that exports wasi:cli/run: core function f of what is in sections, which
// takes nothing and returns 0 if it went well. Sections define no types, functions or instances.
func Runs(f int, sections ...[]byte) []byte {
	return append(Sections(sections...), Run(f, 0, 0)...)
}

// Run is the sections that make core function f wasi:cli/run, where there are no types yet, and so
// many functions and instances.
func Run(f, functions, instances int) []byte {
	out := append(Lift(f), List(5, Join(byte(1), 1, byte(0), "run", byte(1), functions))...)
	return append(out, List(11, Join(byte(0), "wasi:cli/run@0.2.0", byte(5), instances, 0))...)
}

// Lift is the sections that lift core function f, which returns a result; there are no types yet.
func Lift(f int) []byte {
	return append(List(7, Join(byte(0x6a), 0, 0), Join(byte(0x40), 0, byte(0), 0)),
		List(8, Join(byte(0), byte(0), f, 0, 1))...)
}

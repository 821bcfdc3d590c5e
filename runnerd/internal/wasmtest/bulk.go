package wasmtest

import "bytes"

// sleb are numbers that instructions hold.
func sleb(v int32) []byte { return append([]byte{0x41}, s32(v)...) }

// bulk is a command that does code for ever, with a memory of 1,000 pages, a table of as
// many elements as a guest may have, a passive data segment of 32 MiB and a passive
// element segment of a hundred thousand.
func bulk(code ...[]byte) []byte {
	const elements = 100_000
	body := bytes.Join([][]byte{{0, 0xd0, 0x70}, sleb(1 << 22), {0xfc, 15, 0, 0x1a, 0x03, 0x40}, bytes.Join(code, nil), {0x0c, 0, 0x0b, 0x0b}}, nil)
	out := Header()
	for _, s := range []struct {
		id   byte
		body []byte
	}{
		{1, []byte{1, 0x60, 0, 0}},
		{3, []byte{1, 0}},
		{4, []byte{1, 0x70, 0, 0}},
		{5, append([]byte{1, 0}, u32(1000)...)},
		{7, append(append([]byte{1}, str("_start")...), 0, 0)},
		{9, append(append([]byte{1, 1, 0}, u32(elements)...), make([]byte, elements)...)},
		{12, []byte{1}},
		{10, append([]byte{1}, str(string(body))...)},
		{11, append([]byte{1, 1}, str(string(make([]byte, 32<<20)))...)},
	} {
		out = append(out, Section(s.id, s.body)...)
	}
	return out
}

// Bulk are commands that move as many bytes, or elements, at a time as they can, and do
// not end.
func Bulk() map[string][]byte {
	null, zero, most := []byte{0xd0, 0x70}, sleb(0), sleb(1<<22)
	return map[string][]byte{
		"memory.fill": bulk(zero, sleb(1), sleb(60<<20), []byte{0xfc, 11, 0}),
		"memory.copy": bulk(sleb(1), zero, sleb(60<<20), []byte{0xfc, 10, 0, 0}),
		"memory.init": bulk(zero, zero, sleb(32<<20), []byte{0xfc, 8, 0, 0}),
		"table.fill":  bulk(zero, null, most, []byte{0xfc, 17, 0}),
		"table.copy":  bulk(zero, zero, most, []byte{0xfc, 14, 0, 0}),
		"table.init":  bulk(zero, zero, sleb(100_000), []byte{0xfc, 12, 0, 0}),
	}
}

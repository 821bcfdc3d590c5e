package wasmtest

import "bytes"

// Sizes in a [Bulk] command.
const (
	bulkMemory   = 16 << 20
	bulkData     = 8 << 20 // bytes of a passive segment
	bulkTable    = 1 << 18 // elements
	bulkElements = 10_000  // of a passive segment
)

// bulk is a command that grows its memory and its table, and then does code for ever.
func bulk(data int, code ...[]byte) []byte {
	body := bytes.Join([][]byte{{0}, i32Const(bulkMemory >> 16), {0x40, 0, 0x1a}, {0xd0, 0x70}, i32Const(bulkTable), {0xfc, 15, 0, 0x1a},
		{0x03, 0x40}, bytes.Join(code, nil), {0x0c, 0, 0x0b, 0x0b}}, nil)
	out := Header()
	for _, s := range []struct {
		id   byte
		body []byte
	}{
		{1, []byte{1, 0x60, 0, 0}},
		{3, []byte{1, 0}},
		{4, []byte{1, 0x70, 0, 0}},
		{5, []byte{1, 0, 1}},
		{7, append(append([]byte{1}, str("_start")...), 0, 0)},
		{9, append(append([]byte{1, 1, 0}, u32(bulkElements)...), make([]byte, bulkElements)...)},
		{12, []byte{1}},
		{10, append([]byte{1}, str(string(body))...)},
		{11, append([]byte{1, 1}, str(string(make([]byte, data)))...)},
	} {
		out = append(out, Section(s.id, s.body)...)
	}
	return out
}

// Bulk are commands that move many bytes, or elements, at a time, and do not end.
func Bulk() map[string][]byte {
	null, zero, all, table := []byte{0xd0, 0x70}, i32Const(0), i32Const(bulkMemory), i32Const(bulkTable)
	return map[string][]byte{
		"memory.fill": bulk(0, zero, i32Const(1), all, []byte{0xfc, 11, 0}),
		"memory.copy": bulk(0, i32Const(1), zero, all, []byte{0xfc, 10, 0, 0}),
		"memory.init": bulk(bulkData, zero, zero, i32Const(bulkData), []byte{0xfc, 8, 0, 0}),
		"table.fill":  bulk(0, zero, null, table, []byte{0xfc, 17, 0}),
		"table.copy":  bulk(0, zero, zero, table, []byte{0xfc, 14, 0, 0}),
		"table.init":  bulk(0, zero, zero, i32Const(bulkElements), []byte{0xfc, 12, 0, 0}),
	}
}

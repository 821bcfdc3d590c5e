package zoo

import "bytes"

// endless never end by themselves, or not for years.
func endless() map[string][]byte {
	none := func(code ...byte) []byte { return program(typeNone, body(code...)) }
	big := []byte{0x41, 0xff, 0xff, 0xff, 0x1f} // i32.const 64 MiB - 1
	forever := func(code ...[]byte) []byte {
		return none(cat([]byte{0x03, void}, cat(code...), []byte{0x0c, 0, 0x0b})...)
	}
	tree := [][]byte{}
	for i := range byte(60) { // 2^60 calls, and not one loop
		tree = append(tree, body(0x10, i+1, 0x10, i+1))
	}
	return map[string][]byte{
		"loop":              none(0x03, void, 0x0c, 0, 0x0b),
		"loop-if":           none(0x03, void, 0x41, 1, 0x0d, 0, 0x0b),
		"loop-by-table":     none(0x03, void, 0x41, 5, 0x0e, 1, 0, 0, 0x0b),
		"loop-of-a-value":   none(0x41, 1, 0x03, typeBlock, 0x0c, 0, 0x0b, 0x1a),
		"loop-in-a-loop":    none(0x03, void, 0x03, void, 0x0c, 1, 0x0b, 0x0b),
		"tail-calls":        none(0x12, 0),
		"tree-of-calls":     program(typeNone, append(tree, body())...),
		"memory-fill":       forever([]byte{0x41, 0, 0x41, 1}, big, []byte{0xfc, 0x0b, 0}),
		"memory-copy":       forever([]byte{0x41, 1, 0x41, 0}, big, []byte{0xfc, 0x0a, 0, 0}),
		"memory-copy-back":  forever([]byte{0x41, 0, 0x41, 1}, big, []byte{0xfc, 0x0a, 0, 0}),
		"table-fill":        forever([]byte{0x41, 0, 0xd0, funcref, 0x41}, s32(elements), []byte{0xfc, 17, 0}),
		"table-copy":        forever([]byte{0x41, 0, 0x41, 0, 0x41}, s32(elements), []byte{0xfc, 14, 0, 0}),
		"grows-by-nothing":  forever([]byte{0x41, 0, 0x40, 0, 0x1a}),
		"straight-and-long": forever(bytes.Repeat([]byte{0x41, 0, 0x41, 3, 0x6e, 0x1a}, 10_000)),
		"random-reads":      none(0x03, void, 0x41, 0, 0x41, 0, 0x28, 2, 0, 0x41, 0xad, 0xce, 0xed, 0x00, 0x6c, 0x41, 0x39, 0x6a, 0x36, 2, 0, 0x41, 0, 0x28, 2, 0, 0x41, 0xfc, 0xff, 0xff, 0x1f, 0x71, 0x28, 2, 0, 0x1a, 0x0c, 0, 0x0b),
	}
}

// deep have frames without end: small ones, ones of 20,000 locals, and those of functions
// that call each other through a table.
func deep() map[string][]byte {
	return map[string][]byte{
		"recursion":          sized(typeNone, 1, 0, body(0x10, 0)),
		"recursion-of-two":   sized(typeNone, 1, 0, body(0x10, 1), body(0x10, 0)),
		"recursion-of-large": sized(typeNone, 1, 0, withLocals(cat([]byte{1}, u32(2_000), []byte{i64}), 0x10, 0)),
		"recursion-by-table": sized(typeNone, 1, 1, body(0x41, 0, 0xd2, 0, 0x26, 0, 0x41, 0, 0x11, typeNone, 0)),
	}
}

// greedy take memory, or elements of a table, until they get no more, and return how much
// they had.
func greedy() map[string][]byte {
	return map[string][]byte{
		// loop: memory.grow 64 pages; not -1: again. memory.size
		"memory-grow": sized(typeCount, 1, 0, body(0x03, void, 0x41, 0xc0, 0, 0x40, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, 0x3f, 0)),
		"table-grow":  sized(typeCount, 1, 0, body(cat([]byte{0x03, void, 0xd0, funcref, 0x41}, s32(100_000), []byte{0xfc, 15, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, 0xfc, 16, 0})...)),
	}
}

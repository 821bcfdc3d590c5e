package zoo

import "bytes"

// bombs are valid and small, and take a compiler long, or much memory.
func bombs() map[string][]byte {
	locals := func(n uint32) []byte { return cat([]byte{1}, u32(n), []byte{i32}) }
	// Each block that can be entered from two sides needs to know where each local is.
	set := func(i int) []byte {
		return cat([]byte{0x20}, u32(uint32(i%1000)), []byte{0x04, void, 0x41, 1, 0x21}, u32(uint32(i*7919%1000)), []byte{0x0b})
	}
	var ifs, loops []byte
	for i := range 20_000 {
		ifs = append(ifs, set(i)...)
	}
	for i := range 4_000 {
		loops = cat(loops, []byte{0x03, void}, set(i), []byte{0x20}, u32(uint32(i%1000)), []byte{0x0d, 0, 0x0b})
	}
	targets := cat([]byte{0x41, 0, 0x0e}, u32(5_000), bytes.Repeat([]byte{0}, 5_001))
	return map[string][]byte{
		"ifs-over-locals":   oneBody(withLocals(locals(1000), ifs...)),
		"loops-over-locals": oneBody(withLocals(locals(1000), loops...)),
		"tables-of-targets": oneBody(body(bytes.Repeat(cat([]byte{0x02, void}, targets, []byte{0x0b}), 20)...)),
	}
}

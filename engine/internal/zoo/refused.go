package zoo

import "bytes"

// liars announce more than they have, or have more than anybody needs.
func liars() []Animal {
	count := func(id byte) []byte { return module(section(id, u32(most))) }
	animals := map[string]struct {
		reason string
		module []byte
	}{
		"types-4g":        {"types", count(secType)},
		"imports-4g":      {"imports", count(secImport)},
		"functions-4g":    {"functions", count(secFunction)},
		"tables-4g":       {"tables", count(secTable)},
		"globals-4g":      {"globals", count(secGlobal)},
		"exports-4g":      {"exports", count(secExport)},
		"elements-4g":     {"elem", count(secElement)},
		"data-4g":         {"data", count(secData)},
		"params-4g":       {"param", module(section(secType, []byte{1, 0x60}, u32(most)))},
		"results-4g":      {"result", module(section(secType, []byte{1, 0x60, 0}, u32(most)))},
		"name-4g":         {"name", module(section(secImport, []byte{1}, u32(most)))},
		"section-4g":      {"cut short", cat(module(), []byte{secType}, u32(most))},
		"custom-4g":       {"cut short", cat(module(), []byte{0}, u32(most))},
		"body-4g":         {"", module(section(secType, []byte{1, 0x60, 0, 0}), section(secFunction, []byte{1, 0}), section(secCode, []byte{1}, u32(most)))},
		"locals-4g":       {"locals", oneBody(withLocals(cat([]byte{1}, u32(most), []byte{i32})))},
		"locals-8g":       {"locals", oneBody(withLocals(cat([]byte{2}, u32(most), []byte{i32}, u32(most), []byte{i64})))},
		"local-runs-4g":   {"locals", oneBody(withLocals(u32(most)))},
		"br-table-4g":     {"", oneBody(body(cat([]byte{0x41, 0, 0x0e}, u32(most))...))},
		"select-types-4g": {"select", oneBody(body(cat([]byte{0x41, 0, 0x41, 0, 0x41, 0, 0x1c}, u32(most))...))},
		"table-4g":        {"elements", module(section(secTable, []byte{1, funcref, 0}, u32(most)))},
		"tables-of-10m":   {"elements", module(section(secTable, []byte{50}, bytes.Repeat(cat([]byte{funcref, 0}, u32(10_000_000)), 50)))},
		"memory-4g-pages": {"", module(section(secMemory, []byte{1, 0}, u32(most)))},
		"nested":          {"within each other", oneBody(body(cat(bytes.Repeat([]byte{0x02, void}, 25_000), bytes.Repeat([]byte{0x0b}, 25_000))...))},
		"operands":        {"operands", oneBody(body(cat(bytes.Repeat([]byte{0x41, 0}, 60_000), bytes.Repeat([]byte{0x1a}, 60_000))...))},
		"many-tables":     {"tables", module(section(secTable, u32(10_000), bytes.Repeat([]byte{funcref, 0, 0}, 10_000)))},
	}
	var all []Animal
	for name, a := range animals {
		all = append(all, Animal{Name: name, Harm: Decodes, Reason: a.reason, Module: a.module})
	}
	return all
}

// unknown use what the decoder does not know, or not allow.
func unknown() []Animal {
	code := func(c ...byte) []byte { return oneBody(body(c...)) }
	var all []Animal
	for name, b := range map[string][]byte{
		"atomics":      code(0xfe, 0x03, 0),
		"exceptions":   code(0x06, void, 0x0b),
		"tag-section":  module(section(13, []byte{1, 0, 0})),
		"gc":           code(0xfb, 0x00, 0),
		"relaxed-simd": code(0xfd, 0x80, 0x02),
		"memory64":     module(section(secMemory, []byte{1, 4, 1})),
		"shared":       module(section(secMemory, []byte{1, 3, 1, 1})),
		"two-memories": module(section(secMemory, []byte{2, 0, 1, 0, 1})),
		"typed-refs":   module(section(secTable, []byte{1, 0x63, 0, 0, 1})),
		"backwards":    module(section(secFunction, []byte{0}), section(secType, []byte{0})),
		"trailing":     cat(module(section(secType, []byte{0, 0}))),
	} {
		all = append(all, Animal{Name: name, Harm: Decodes, Module: b})
	}
	return all
}

// thieves name what meters add to them: the first index after those they have, or a
// reserved name.
func thieves() []Animal {
	exported := func(name string) []byte {
		return module(section(secGlobal, []byte{1, i64, 1, 0x42, 0, 0x0b}), section(secExport, []byte{1}, text(name), []byte{3, 0}))
	}
	var all []Animal
	for name, a := range map[string]struct {
		reason string
		module []byte
	}{
		"sets-fuel":     {"global", oneBody(body(0x42, 0x7f, 0x24, 0))},
		"sets-room":     {"global", oneBody(body(0x42, 0x7f, 0x24, 1))},
		"calls-refill":  {"function", oneBody(body(0x42, 0, 0x10, 1, 0x1a))},
		"block-of-type": {"type", oneBody(body(0x42, 0, 0x02, 1, 0x0b, 0x1a))},
		"imports-meter": {"reserved", module(section(secType, []byte{1, 0x60, 0, 0}), section(secImport, []byte{1}, text("\x00meter"), text("refill"), []byte{0, 0}))},
		"exports-fuel":  {"reserved", exported("\x00fuel")},
		"exports-stack": {"reserved", exported("\x00stack")},
	} {
		all = append(all, Animal{Name: name, Harm: Reaches, Reason: a.reason, Module: a.module})
	}
	return all
}

// Cases of values that one component gives to another.
import { argument, result } from './text.mjs';

const nan32 = { bits: 0x7fc00000n };
const nan64 = { bits: 0x7ff8000000000000n };
const many = (n, f) => [...Array(n).keys()].map(f);

// Values of each type, sent both ways.
const types = {
	bool: ['bool', [false, true]], s8: ['s8', [0, 1, 127, -1, -128]], u8: ['u8', [0, 127, 128, 255]],
	s16: ['s16', [0, 32767, -1, -32768]], u16: ['u16', [0, 32768, 65535]], s32: ['s32', [0, 2147483647, -1, -2147483648]],
	u32: ['u32', [0, 2147483648, 4294967295]], s64: ['s64', [0, -1, 9223372036854775807n, -9223372036854775808n]],
	u64: ['u64', [0, 9223372036854775808n, 18446744073709551615n]],
	f32: ['f32', [0, -0, 1.5, Infinity, -Infinity, nan32]], f64: ['f64', [0, -0, 0.1, Infinity, -Infinity, 5e-324, nan64]],
	char: ['char', ['\0', 'a', 'é', '\ud7ff', '\ue000', '€', '\u{1f600}', '\u{10ffff}']],
	'list-u8': [{ list: 'u8' }, [[], [1], many(300, (i) => i & 255)]], 'list-bool': [{ list: 'bool' }, [[true, false, true]]],
	'list-s16': [{ list: 's16' }, [[-1, 2]]], 'list-u32': [{ list: 'u32' }, [[1, 2 ** 32 - 1]]], 'list-u64': [{ list: 'u64' }, [[1, 2n ** 64n - 1n]]],
	'list-f32': [{ list: 'f32' }, [[1.5, -0]]], 'list-f64': [{ list: 'f64' }, [[0.1, Infinity]]], 'list-char': [{ list: 'char' }, [['a', '€']]],
	'list-string': [{ list: 'string' }, [[], [''], ['a', '', 'bcd']]], 'list-list': [{ list: { list: 'u16' } }, [[[1, 2], [], [3]]]],
	'list-tuple': [{ list: { tuple: ['u8', 'u32'] } }, [[[1, 2], [3, 4]]]],
	'list-option': [{ list: { option: 'u16' } }, [[[1, 7], [0]]]], 'list-flags': [{ list: { flags: 9 } }, [[257, 3]]],
	'list-enum': [{ list: { enum: 300 } }, [[0, 299]]], 'list-variant': [{ list: { variant: [null, 'u64', 'string'] } }, [[[0], [1, 9], [2, 'x']]]],
	record: [{ record: ['u8', 'u64', 'bool'] }, [[1, 2, true]]], 'record-padding': [{ record: ['u8', 'u16', 'u8', 'u32', 'u8', 'f64'] }, [[1, 2, 3, 4, 5, 0.5]]],
	'record-nested': [{ record: ['u8', { record: ['s32', 'string'] }, { tuple: ['char'] }] }, [[1, [-2, 'in'], ['€']]]],
	tuple: [{ tuple: ['f32', 's64', 'char'] }, [[0.5, -1, 'z']]], 'tuple-of-one': [{ tuple: ['u8'] }, [[9]]],
	'tuple-of-sixteen': [{ tuple: Array(16).fill('u8') }, [many(16, (i) => i)]],
	'tuple-of-seventeen': [{ tuple: Array(17).fill('u8') }, [many(17, (i) => i)]],
	'tuple-of-strings': [{ tuple: Array(9).fill('string') }, [many(9, (i) => 'text'.slice(0, i % 5))]],
	variant: [{ variant: [null, 'u8', 'string'] }, [[0], [1, 255], [2, 'text']]],
	'variant-joined-i32-f32': [{ variant: ['u32', 'f32'] }, [[0, 7], [1, 1.5]]], 'variant-joined-i32-i64': [{ variant: ['s32', 'u64'] }, [[0, 7], [1, 2n ** 63n]]],
	'variant-joined-f32-f64': [{ variant: ['f32', 'f64'] }, [[0, 1.5], [1, 0.1]]], 'variant-joined-f64-i32': [{ variant: ['f64', 'string'] }, [[0, 0.1], [1, 'abc']]],
	'variant-wide': [{ variant: [{ tuple: ['u8', 'f32', 'f64'] }, { tuple: ['f64', 'u8'] }, null] }, [[0, [1, 2.5, 3.5]], [1, [4.5, 5]], [2]]],
	'variant-nested': [{ variant: [{ variant: ['u8', 'string'] }, { option: 'u64' }] }, [[0, [1, 'x']], [1, [1, 5]], [1, [0]]]],
	'variant-of-257': [{ variant: many(257, (i) => (i === 256 ? 'u8' : null)) }, [[0], [255], [256, 9]]],
	enum: [{ enum: 3 }, [0, 1, 2]], 'enum-of-256': [{ enum: 256 }, [0, 255]], 'enum-of-257': [{ enum: 257 }, [0, 256]],
	option: [{ option: 'u32' }, [[0], [1, 0], [1, 9]]], 'option-string': [{ option: 'string' }, [[0], [1, ''], [1, 'some']]],
	'option-option': [{ option: { option: 'u8' } }, [[0], [1, [0]], [1, [1, 7]]]],
	result: [{ result: ['u32', 'string'] }, [[0, 5], [1, 'wrong']]], 'result-empty': [{ result: [null, null] }, [[0], [1]]],
	'result-ok': [{ result: ['u64', null] }, [[0, 5], [1]]], 'result-error': [{ result: [null, 'f32'] }, [[0], [1, 2.5]]],
	'flags-1': [{ flags: 1 }, [0, 1]], 'flags-8': [{ flags: 8 }, [0, 255]], 'flags-9': [{ flags: 9 }, [0, 256, 511]],
	'flags-16': [{ flags: 16 }, [65535]], 'flags-17': [{ flags: 17 }, [65536]], 'flags-32': [{ flags: 32 }, [0, 4294967295]],
	'deep': [{ list: { record: [{ option: { list: 'string' } }, { result: [{ tuple: ['u8', 'u64'] }, { enum: 2 }] }] } }, [[[[1, ['a', 'b']], [0, [1, 2]]], [[0], [1, 1]]]]],
};

const both = (name, c) => [[`argument-${name}`, argument(c)], [`result-${name}`, result({ ...c, result: true })]];

const ruleOf = (name) => (/^tuple-of-s/.test(name) ? 'flattening' : name.split('-')[0].replace(/^deep$/, 'list').replace(/^tuple$/, 'record'));
const utf8 = { from: 'utf8', to: 'utf8' };
const out = [];
for (const [name, [t, values]] of Object.entries(types))
	out.push(...both(name, { rule: ruleOf(name), what: `values of ${name.replaceAll('-', ' ')} arrive as they were sent`, t, values, ...utf8 }));

// Strings in all encodings.
const words = ['', 'plain', 'caf\u00e9 \u00ff', '10 \u20ac', 'a\ud834\udd1eb', '\0'];
const encodings = ['utf8', 'utf16', 'latin1'];
for (const from of encodings) for (const to of encodings)
	out.push(...both(`string-${from}-${to}`, { rule: `string.${to}`, what: `strings of ${from} arrive as ${to}`, t: 'string', values: words, from, to }));
for (const enc of encodings)
	out.push(...both(`strings-within-${enc}`, { rule: `string.${enc}`, what: `strings within other values are of ${enc}`, from: 'utf8', to: enc,
		t: { list: { tuple: ['string', { option: 'string' }] } }, values: [[['a', [1, 'caf\u00e9']], ['\u20ac', [0]]]] }));

// Core values that no compiler makes.
const i32 = (n) => `(i32.const ${n})`;
const arg = (name, c) => out.push([`argument-${name}`, argument({ ...utf8, ...c })]);
const res = (name, c) => out.push([`result-${name}`, result({ ...utf8, ...c, result: true })]);
const oddly = (name, rule, t, raw, see, what) => {
	arg(name, { rule, what, t, values: see, raw: raw.map((n) => [i32(n)]) });
	res(name, { rule, what, t, values: see, raw: raw.map(i32) });
};
oddly('bool-dirty', 'bool', 'bool', [2, 256, -1], [true, true, true], 'any number but 0 is true');
oddly('u8-dirty', 'u8', 'u8', [0x1ff, -1], [255, 255], 'bits beyond the type do not count');
oddly('s8-dirty', 's8', 's8', [0x180, 0xff], [-128, -1], 'bits beyond the type do not count, and the sign is extended');
oddly('u16-dirty', 'u16', 'u16', [0x1ffff], [65535], 'bits beyond the type do not count');
oddly('s16-dirty', 's16', 's16', [0x18000], [-32768], 'bits beyond the type do not count, and the sign is extended');
oddly('flags-dirty', 'flags', { flags: 3 }, [0xff], [7], 'bits beyond the flags do not count');
oddly('flags-nine-dirty', 'flags', { flags: 9 }, [-1], [511], 'bits beyond the flags do not count');
arg('bool-dirty-in-memory', { rule: 'bool', what: 'any byte but 0 is true', t: { list: 'bool' }, values: [[true, true, false]], raw: [[i32(512), i32(3)]], data: [[512, [2, 255, 0]]] });
arg('flags-dirty-in-memory', { rule: 'flags', what: 'bits beyond the flags do not count', t: { list: { flags: 3 } }, values: [[7, 1]], raw: [[i32(512), i32(2)]], data: [[512, [255, 0xf1]]] });
for (const [name, t, value, raw] of [
	['f32', 'f32', nan32, '(f32.reinterpret_i32 (i32.const 0xffa00001))'],
	['f64', 'f64', nan64, '(f64.reinterpret_i64 (i64.const 0xfff4000000000001))'],
]) {
	arg(`${name}-nan`, { rule: name, what: 'a NaN loses its sign and payload', t, values: [value], raw: [[raw]] });
	res(`${name}-nan`, { rule: name, what: 'a NaN loses its sign and payload', t, values: [value], raw: [raw] });
}
arg('variant-high-bits', { rule: 'variant', what: 'of an i64 that stands for an i32 the low half counts', t: { variant: ['u32', 'u64'] }, values: [[0, 7]], raw: [[i32(0), '(i64.const 0x500000007)']] });

// What traps.
const bad = (name, rule, t, raw, must, what) => arg(name, { rule, what, t, must: `traps: ${must}`, ...calls([raw]) });
const calls = (raw) => ({ values: raw, raw, see: [] });
const lies = (name, rule, t, raw, must, what) => {
	if (raw.length === 1) {
		bad(name, rule, t, raw.map(i32), must, what);
		return out.push([`result-${name}`, result({ ...utf8, rule, what, t, values: [0], raw: raw.map(i32), see: [zero(t)], must: `traps: ${must}`, result: true })]);
	}
	bad(name, rule, t, raw.map(i32), must, what);
	const bytes = raw.flatMap((n) => [0, 8, 16, 24].map((s) => (n >> s) & 255));
	out.push([`result-${name}`, result({ ...utf8, rule, what, t, values: [0], raw: [i32(512)], data: [[512, bytes]], see: [zero(t)], must: `traps: ${must}`, result: true })]);
};
const zero = (t) => (t === 'string' ? '' : t === 'char' ? '\0' : t.list ? [] : t.enum ? 0 : [0]);
lies('char-surrogate', 'char', 'char', [0xd800], 'CHAR', 'a surrogate is no char');
lies('char-last-surrogate', 'char', 'char', [0xdfff], 'CHAR', 'a surrogate is no char');
lies('char-beyond', 'char', 'char', [0x110000], 'CHAR', 'nothing from 0x110000 on is a char');
lies('char-negative', 'char', 'char', [-1], 'CHAR', 'nothing from 0x110000 on is a char');
lies('enum-beyond', 'enum', { enum: 3 }, [3], 'CASE', 'there are no more cases than the type has');
lies('enum-negative', 'enum', { enum: 3 }, [-1], 'CASE', 'there are no more cases than the type has');
lies('result-beyond', 'result', { result: [null, null] }, [2], 'CASE', 'a result is 0 or 1');
lies('option-beyond', 'option', { option: 'u32' }, [2, 0], 'CASE', 'an option is 0 or 1');
lies('variant-beyond', 'variant', { variant: [null, 'u32', 'u32'] }, [3, 0], 'CASE', 'there are no more cases than the type has');
lies('list-beyond', 'list', { list: 'u8' }, [131071, 2], 'BOUNDS', 'a list is within the memory');
lies('list-lying', 'list', { list: 'u8' }, [0, -1], 'LONG', 'a length of 4 GiB is not believed');
lies('list-wraps', 'list', { list: 'u64' }, [8, 0x20000001], 'LONG', 'a length whose bytes wrap around 2^32 is not believed');
lies('list-far', 'list', { list: 'u8' }, [-1, 1], 'BOUNDS', 'a list is within the memory');
lies('list-empty-far', 'list', { list: 'u8' }, [131073, 0], 'BOUNDS', 'an empty list is within the memory, too');
lies('list-odd-u16', 'list', { list: 'u16' }, [513, 1], 'ALIGN', 'a list is aligned as its elements are');
lies('list-odd-u64', 'list', { list: 'u64' }, [516, 1], 'ALIGN', 'a list is aligned as its elements are');
lies('list-odd-lists', 'list', { list: 'string' }, [514, 1], 'ALIGN', 'a list is aligned as its elements are');
lies('string-beyond', 'string.utf8', 'string', [131071, 2], 'BOUNDS', 'a string is within the memory');
lies('string-lying', 'string.utf8', 'string', [0, -1], 'LONG', 'a length of 4 GiB is not believed');
const broken = (name, enc, bytes, n, must, what) => {
	const c = { rule: `string.${enc}`, what, t: 'string', must: `traps: ${must}`, from: enc, to: 'utf8', data: [[512, [...bytes]], [768, [0, 2, 0, 0, ...[0, 8, 16, 24].map((s) => (n >> s) & 255)]]] };
	out.push([`argument-string-${name}`, argument({ ...c, ...calls([[i32(512), i32(n)]]) })]);
	out.push([`result-string-${name}`, result({ ...c, values: [0], raw: [i32(768)], see: [''], result: true })]);
};
broken('utf8-lone', 'utf8', [0x80], 1, 'UTF8', 'a byte that continues nothing is no UTF-8');
broken('utf8-cut', 'utf8', [0xe2, 0x82], 2, 'UTF8', 'a sequence that is cut is no UTF-8');
broken('utf8-overlong', 'utf8', [0xc0, 0x80], 2, 'UTF8', 'a longer form of a shorter one is no UTF-8');
broken('utf8-surrogate', 'utf8', [0xed, 0xa0, 0x80], 3, 'UTF8', 'a surrogate is no UTF-8');
broken('utf8-beyond', 'utf8', [0xf4, 0x90, 0x80, 0x80], 4, 'UTF8', 'nothing from 0x110000 on is UTF-8');
broken('utf16-high', 'utf16', [0x34, 0xd8, 0x61, 0], 2, 'UTF16', 'half a pair of surrogates is no UTF-16');
broken('utf16-low', 'utf16', [0x1e, 0xdd], 1, 'UTF16', 'half a pair of surrogates is no UTF-16');
broken('utf16-lying', 'utf16', [], 0x7fffffff, 'LONG', 'a length of 4 GiB is not believed');
broken('latin1-lying', 'latin1', [], 0x7fffffff, 'LONG', 'a length of 2 GiB is not believed');
broken('latin1-tagged-lying', 'latin1', [], -1, 'LONG', 'a length of 4 GiB is not believed');
broken('latin1-tagged-high', 'latin1', [0x34, 0xd8], 0x80000001 | 0, 'UTF16', 'half a pair of surrogates is no UTF-16, with a tag either');
for (const [enc, where] of [['utf16', 513], ['latin1', 513]])
	arg(`string-${enc}-odd`, { rule: `string.${enc}`, what: `strings of ${enc} are aligned to 2`, t: 'string', must: 'traps: ALIGN', from: enc, to: 'utf8', ...calls([[i32(where), i32(1)]]) });
arg('spilled-odd', { rule: 'flattening', what: 'arguments in memory are aligned', t: { tuple: Array(17).fill('u32') }, must: 'traps: ALIGN', ...calls([[i32(1026)]]) });
arg('spilled-beyond', { rule: 'flattening', what: 'arguments in memory are within it', t: { tuple: Array(17).fill('u32') }, must: 'traps: BOUNDS', ...calls([[i32(131008)]]) });
res('returned-odd', { rule: 'flattening', what: 'a result in memory is aligned', t: { tuple: ['u32', 'u32'] }, values: [0], raw: [i32(1026)], see: [[0, 0]], must: 'traps: ALIGN' });
res('returned-beyond', { rule: 'flattening', what: 'a result in memory is within it', t: { tuple: ['u32', 'u32'] }, values: [0], raw: [i32(131068)], see: [[0, 0]], must: 'traps: BOUNDS' });
res('area-odd', { rule: 'flattening', what: 'the place of a result is aligned', t: { tuple: ['u32', 'u32'] }, values: [[1, 2]], at: 2050, must: 'traps: ALIGN' });
res('area-beyond', { rule: 'flattening', what: 'the place of a result is within the memory', t: { tuple: ['u32', 'u32'] }, values: [[1, 2]], at: 131068, must: 'traps: BOUNDS' });
const same = many(200, () => [0, 0, 0, 0, 0xa0, 0x86, 1, 0]).flat(); // each is of the same 100,000 bytes
const more = { rule: 'limits', what: 'values of one call take only so much of the host, however often memory is in them', t: { list: { list: 'u8' } }, data: [[512, same]], must: 'traps: the values of a call take more than' };
arg('list-of-the-same', { ...more, ...calls([[i32(512), i32(200)]]) });
res('list-of-the-same', { ...more, values: [0], raw: [i32(256)], data: [[256, [0, 2, 0, 0, 200, 0, 0, 0]], ...more.data], see: [[]] });

// Allocators that lie.
const allocates = (name, t, value, realloc, must, what) => {
	const c = { rule: 'realloc', what, t, values: [value], realloc, must };
	arg(`realloc-${name}`, c);
	res(`realloc-${name}`, c);
};
allocates('beyond', { list: 'u8' }, [1, 2, 3], '(i32.const 131070)', 'traps: BOUNDS', 'what realloc returns is within the memory');
allocates('far', 'string', 'abc', '(i32.const -1)', 'traps: BOUNDS', 'what realloc returns is within the memory');
allocates('odd', { list: 'u16' }, [1], '(i32.const 513)', 'traps: ALIGN', 'what realloc returns is aligned');
allocates('traps', 'string', 'abc', 'unreachable', 'traps: unreachable', 'a realloc that traps ends the call');
allocates('endless', 'string', 'abc', '(loop $l (br $l)) unreachable', 'stops: fuel', 'a realloc that never returns ends by its fuel');
allocates('grows', 'string', 'abc', '(drop (memory.grow (i32.const 1))) (i32.const 140000)', 'returns', 'memory that has grown meanwhile is there');
const overlap = { rule: 'realloc', what: 'allocations that overlap are written one after the other, and harm nobody else', t: { list: 'string' }, values: [['aa', 'bb']], realloc: '(i32.const 512)', must: 'traps: unreachable' };
arg('realloc-overlapping', overlap);
res('realloc-overlapping', overlap);

export default out;

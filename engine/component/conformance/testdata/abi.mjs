// The canonical ABI's layout of values, for texts of components that send them and look at them.
//
// A type is a string ("u8", "string"), or an object with one key: list and option of a type; record
// and tuple of types; variant of types or nulls; result of two such; enum and flags of a number of
// names. A value is a number, a BigInt, a string or an array; of a variant [case, value].

const scalars = {
	bool: ['i32', 1], s8: ['i32', 1], u8: ['i32', 1], s16: ['i32', 2], u16: ['i32', 2], s32: ['i32', 4], u32: ['i32', 4],
	char: ['i32', 4], s64: ['i64', 8], u64: ['i64', 8], f32: ['f32', 4], f64: ['f64', 8],
};

export const kind = (t) => (typeof t === 'string' ? t : Object.keys(t)[0]);
const of = (t) => t[kind(t)];
const up = (n, to) => Math.ceil(n / to) * to;

// cases are what a type has in its cases, if it is one of them.
function cases(t) {
	switch (kind(t)) {
		case 'variant': return of(t);
		case 'result': return of(t);
		case 'option': return [null, of(t)];
		case 'enum': return Array(of(t)).fill(null);
	}
}

const fields = (t) => (kind(t) === 'record' || kind(t) === 'tuple' ? of(t) : undefined);
const bytesOfCases = (n) => (n <= 256 ? 1 : n <= 65536 ? 2 : 4);
const bytesOfFlags = (n) => (n <= 8 ? 1 : n <= 16 ? 2 : 4);

export function align(t) {
	if (scalars[t]) return scalars[t][1];
	if (t === 'string' || kind(t) === 'list') return 4;
	if (kind(t) === 'flags') return bytesOfFlags(of(t));
	if (fields(t)) return Math.max(1, ...fields(t).map(align));
	return Math.max(bytesOfCases(cases(t).length), ...cases(t).map((c) => (c ? align(c) : 1)));
}

export function size(t) {
	if (scalars[t]) return scalars[t][1];
	if (t === 'string' || kind(t) === 'list') return 8;
	if (kind(t) === 'flags') return bytesOfFlags(of(t));
	if (fields(t)) return up(fields(t).reduce((n, f) => up(n, align(f)) + size(f), 0), align(t));
	return up(payload(t) + Math.max(0, ...cases(t).map((c) => (c ? size(c) : 0))), align(t));
}

// payload is where in a variant its cases have theirs.
const payload = (t) => up(bytesOfCases(cases(t).length), Math.max(1, ...cases(t).map((c) => (c ? align(c) : 1))));

const join = (a, b) => (a === b ? a : (a === 'i32' && b === 'f32') || (a === 'f32' && b === 'i32') ? 'i32' : 'i64');

export function flat(t) {
	if (scalars[t]) return [scalars[t][0]];
	if (t === 'string' || kind(t) === 'list') return ['i32', 'i32'];
	if (kind(t) === 'flags') return ['i32'];
	if (fields(t)) return fields(t).flatMap(flat);
	const out = [];
	for (const c of cases(t)) if (c) flat(c).forEach((x, i) => (out[i] = out[i] ? join(out[i], x) : x));
	return ['i32', ...out];
}

// bits of a scalar, as a BigInt.
function bits(t, v) {
	const b = new DataView(new ArrayBuffer(8));
	if (typeof v === 'object') return v.bits; // of a NaN
	switch (t) {
		case 'bool': return v ? 1n : 0n;
		case 'char': return BigInt(v.codePointAt(0));
		case 'f32': b.setFloat32(0, v); return BigInt(b.getUint32(0));
		case 'f64': b.setFloat64(0, v); return b.getBigUint64(0);
		case 's64': case 'u64': return BigInt.asUintN(64, BigInt(v));
	}
	return BigInt.asUintN(32, BigInt(v));
}

// text is a string in an encoding: bytes, and the number that stands for its length.
export function text(s, enc) {
	const wide = [...Array(s.length).keys()].flatMap((i) => [s.charCodeAt(i) & 255, s.charCodeAt(i) >> 8]);
	if (enc === 'utf8') return { bytes: [...new TextEncoder().encode(s)], n: new TextEncoder().encode(s).length };
	if (enc === 'utf16') return { bytes: wide, n: s.length, align: 2 };
	if ([...s].every((c) => c.codePointAt(0) < 256)) return { bytes: [...s].map((c) => c.charCodeAt(0)), n: s.length, align: 2 };
	return { bytes: wide, n: s.length + 2 ** 31, align: 2 };
}

// Memory is filled from a position on; data are its segments.
export class Memory {
	constructor(at) { this.at = at; this.data = []; }
	put(bytes, to) {
		const at = (this.at = up(this.at, to));
		this.data.push([at, bytes]);
		this.at += bytes.length;
		return at;
	}
	segments() {
		const hex = (b) => '\\' + b.toString(16).padStart(2, '0');
		return this.data.filter(([, b]) => b.length).map(([at, b]) => `    (data (i32.const ${at}) "${b.map(hex).join('')}")`).join('\n');
	}
}

const little = (n, bytes) => [...Array(bytes).keys()].map((i) => Number((BigInt.asUintN(64, BigInt(n)) >> BigInt(8 * i)) & 255n));

// stored is a value as it lies in memory.
export function stored(t, v, m, enc) {
	if (scalars[t]) return little(bits(t, v), size(t));
	const k = kind(t);
	if (k === 'flags') return little(v, size(t));
	if (t === 'string' || k === 'list') return pair(t, v, m, enc).flatMap((n) => little(n, 4));
	const out = Array(size(t)).fill(0);
	if (fields(t)) {
		let at = 0;
		fields(t).forEach((f, i) => {
			at = up(at, align(f));
			out.splice(at, size(f), ...stored(f, v[i], m, enc));
			at += size(f);
		});
		return out;
	}
	const [n, value] = [v].flat(1);
	out.splice(0, bytesOfCases(cases(t).length), ...little(n, bytesOfCases(cases(t).length)));
	const c = cases(t)[n];
	if (c) out.splice(payload(t), size(c), ...stored(c, v[1], m, enc));
	return out;
}

function pair(t, v, m, enc) {
	if (t === 'string') {
		const s = text(v, enc);
		return [m.put(s.bytes, s.align ?? 1), s.n];
	}
	const all = v.map((e) => stored(of(t), e, m, enc)).flat();
	return [m.put(all, align(of(t))), v.length];
}

// lowered are the core values of a value: [type, bits].
export function lowered(t, v, m, enc) {
	if (scalars[t]) return [[scalars[t][0], bits(t, v)]];
	const k = kind(t);
	if (k === 'flags') return [['i32', BigInt(v)]];
	if (t === 'string' || k === 'list') return pair(t, v, m, enc).map((n) => ['i32', BigInt(n)]);
	if (fields(t)) return fields(t).flatMap((f, i) => lowered(f, v[i], m, enc));
	const n = Array.isArray(v) ? v[0] : v;
	const c = cases(t)[n];
	const held = c ? lowered(c, v[1], m, enc) : [];
	return flat(t).map((x, i) => (i === 0 ? ['i32', BigInt(n)] : [x, held[i - 1]?.[1] ?? 0n]));
}

export function constant([t, n]) {
	if (t === 'f32') return `(f32.reinterpret_i32 (i32.const ${n}))`;
	if (t === 'f64') return `(f64.reinterpret_i64 (i64.const ${n}))`;
	return `(${t}.const ${n})`;
}

// cast has a core value be of another type, as in a case of a variant.
function cast(x, from, to) {
	if (from === to) return x;
	if (from === 'i64' && to !== 'f64') return cast(`(i32.wrap_i64 ${x})`, 'i32', to);
	return `(${to}.reinterpret_${from} ${x})`;
}

const same = (type, x, n) => {
	if (type[0] === 'f') [x, type] = [`(i${type.slice(1)}.reinterpret_${type} ${x})`, 'i' + type.slice(1)];
	return `    (call $must (${type}.eq ${x} (${type}.const ${n})))`;
};

// Each of these is code that traps unless a value is what it should be: slots are expressions
// of its core values with their types, base and offset where it lies.
export function looksFlat(t, v, slots, m, enc) {
	if (scalars[t]) return [same(slots[0][1], slots[0][0], bits(t, v))];
	const k = kind(t);
	if (k === 'flags') return [same('i32', slots[0][0], v)];
	if (t === 'string' || k === 'list') return looksPair(t, v, slots[0][0], slots[1][0], m, enc);
	if (fields(t)) {
		let n = 0;
		return fields(t).flatMap((f, i) => looksFlat(f, v[i], slots.slice(n, (n += flat(f).length)), m, enc));
	}
	const n = Array.isArray(v) ? v[0] : v;
	const c = cases(t)[n];
	const want = c ? flat(c) : [];
	const held = want.map((w, i) => [cast(slots[i + 1][0], slots[i + 1][1], w), w]);
	const rest = slots.slice(1 + want.length).map(([x, type]) => same(type, x, 0));
	return [same('i32', slots[0][0], n), ...(c ? looksFlat(c, v[1], held, m, enc) : []), ...rest];
}

const loads = { 1: 'i32.load8_u', 2: 'i32.load16_u', 4: 'i32.load', 8: 'i64.load' };

export function looksStored(t, v, base, offset, m, enc) {
	const load = (bytes, at = offset) => `(${loads[bytes]} offset=${at} ${base})`;
	if (scalars[t]) return [same(size(t) === 8 ? 'i64' : 'i32', load(size(t)), BigInt.asUintN(8 * size(t), bits(t, v)))];
	const k = kind(t);
	if (k === 'flags') return [same('i32', load(size(t)), v)];
	if (t === 'string' || k === 'list') return looksPair(t, v, load(4), load(4, offset + 4), m, enc);
	if (fields(t)) {
		let at = offset;
		return fields(t).flatMap((f, i) => {
			at = up(at, align(f));
			const out = looksStored(f, v[i], base, at, m, enc);
			at += size(f);
			return out;
		});
	}
	const n = Array.isArray(v) ? v[0] : v;
	const c = cases(t)[n];
	return [same('i32', load(bytesOfCases(cases(t).length)), n), ...(c ? looksStored(c, v[1], base, offset + payload(t), m, enc) : [])];
}

function looksPair(t, v, ptr, len, m, enc) {
	if (t === 'string') {
		const s = text(v, enc);
		const at = m.put(s.bytes, 2);
		return [same('i32', len, s.n), `    (call $must (call $same ${ptr} (i32.const ${at}) (i32.const ${s.bytes.length})))`,
			`    (call $must (i32.eqz (i32.rem_u ${ptr} (i32.const ${s.align ?? 1}))))`];
	}
	const e = of(t);
	return [same('i32', len, v.length), `    (call $must (i32.eqz (i32.rem_u ${ptr} (i32.const ${align(e)}))))`,
		...v.flatMap((x, i) => looksStored(e, x, ptr, i * size(e), m, enc))];
}

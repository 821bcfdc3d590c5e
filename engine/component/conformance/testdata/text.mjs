// Texts of components in which one gives values to another.
import { align, constant, flat, kind, looksFlat, looksStored, lowered, Memory, size, stored } from './abi.mjs';

const encodings = { utf8: 'utf8', utf16: 'utf16', latin1: 'latin1+utf16' };
const hasText = (t) => t === 'string' || (typeof t === 'object' && JSON.stringify(t).includes('"string"'));
const hasLists = (t) => t === 'string' || (typeof t === 'object' && /"(string|list)"/.test(JSON.stringify(t)));

// Names of types: a record, a variant, an enum and flags must have one.
class Types {
	constructor() { this.defs = []; }
	ref(t) {
		if (typeof t === 'string') return t;
		const k = kind(t);
		const x = t[k];
		const names = (n) => [...Array(n).keys()].map((i) => `"n${i}"`).join(' ');
		switch (k) {
			case 'list': case 'option': return `(${k} ${this.ref(x)})`;
			case 'tuple': return `(tuple ${x.map((e) => this.ref(e)).join(' ')})`;
			case 'result': return `(result${x[0] ? ' ' + this.ref(x[0]) : ''}${x[1] ? ` (error ${this.ref(x[1])})` : ''})`;
			case 'enum': case 'flags': return this.def(`(${k} ${names(x)})`);
			case 'record': return this.def(`(record ${x.map((e, i) => `(field "n${i}" ${this.ref(e)})`).join(' ')})`);
			case 'variant': return this.def(`(variant ${x.map((e, i) => `(case "n${i}"${e ? ' ' + this.ref(e) : ''})`).join(' ')})`);
		}
	}
	def(text) {
		if (!this.defs.includes(text)) this.defs.push(text);
		return `$t${this.defs.indexOf(text)}`;
	}
	exported() { return this.defs.map((d, i) => `    (type $d${i} ${d}) (export $t${i} "t${i}" (type $d${i}))`).join('\n'); }
	imported() { return this.defs.map((d, i) => `    (type $d${i} ${d}) (import "t${i}" (type $t${i} (eq $d${i})))`).join('\n'); }
	given() { return this.defs.map((_, i) => `(with "t${i}" (type $callee "t${i}"))`).join(' '); }
}

const help = `
    (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func $same (param $a i32) (param $b i32) (param $n i32) (result i32)
      (loop $next
        (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $next (i32.eq (i32.load8_u (i32.add (local.get $a) (local.get $n))) (i32.load8_u (i32.add (local.get $b) (local.get $n))))))
      (i32.const 0))`;

// allocator is a module with a memory and a realloc that never frees.
const allocator = (realloc) => `
    (core module $allocator
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $n i32) (result i32)
        (local $at i32)
        ${realloc ?? `(local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $n)))
        (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $n) (i32.lt_u (local.get $was) (local.get $n))))
        (local.get $at)`}))
    (core instance $a (instantiate $allocator))
    (alias core export $a "memory" (core memory $memory)) (alias core export $a "realloc" (core func $realloc))`;

const indexed = (bodies) => bodies.map((b, i) => `      (if (i32.eq (global.get $n) (i32.const ${i})) (then
${b}))`).join('\n');

const options = (t, enc) => `(memory $memory) (realloc (core func $realloc))${hasText(t) ? ` string-encoding=${encodings[enc]}` : ''}`;

const command = `
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
`;

const header = (c) => `;; ${c.rule}: ${c.what}\n;; ${c.must ?? 'returns'}\n`;

// argument has values be arguments of calls from one component to another. Of c: t is their type,
// values what is sent; raw, if given, are the core values that are sent for them; see what is
// seen if it is not what was sent.
export function argument(c) {
	const types = new Types();
	const t = types.ref(c.t);
	const spilled = flat(c.t).length > 16;
	const core = spilled ? ['i32'] : flat(c.t);
	const [from, to] = [new Memory(1024), new Memory(1024)];
	const sends = c.values.map((v, i) => {
		let sent;
		if (c.raw) sent = c.raw[i];
		else if (spilled) sent = [constant(['i32', from.put(stored(c.t, v, from, c.from), align(c.t))])];
		else sent = lowered(c.t, v, from, c.from).map(constant);
		return `      (call $f ${sent.join(' ')})`;
	});
	if (c.data) from.data.push(...c.data);
	const seen = c.see ?? c.values;
	const slots = core.map((x, i) => [`(local.get ${i})`, x]);
	const looks = seen.map((v) => (spilled ? looksStored(c.t, v, '(local.get 0)', 0, to, c.to) : looksFlat(c.t, v, slots, to, c.to)).join('\n'));
	return header(c) + between(types, `(func $f (param "v" ${t}))`, `
    (core module $m
      (import "a" "memory" (memory 2))${help}
      (global $n (mut i32) (i32.const 0))
${to.segments()}
      (func (export "f") ${core.map((x) => `(param ${x})`).join(' ')}
${indexed(looks)}
      (global.set $n (i32.add (global.get $n) (i32.const 1)))))
    (core instance $i (instantiate $m (with "a" (instance $a))))
    (func (export "f") (param "v" ${t}) (canon lift (core func $i "f") ${options(c.t, c.to)}))`, `
      (import "callee" "f" (func $f ${core.map((x) => `(param ${x})`).join(' ')}))
${from.segments()}
      (func (export "run") (result i32)
${sends.join('\n')}
      (i32.const 0))`, options(c.t, c.from), c);
}

// result has values be results of such calls.
export function result(c) {
	const types = new Types();
	const t = types.ref(c.t);
	const returned = flat(c.t).length > 1;
	const core = returned ? 'i32' : flat(c.t)[0];
	const [from, to] = [new Memory(1024), new Memory(4096)];
	const gives = c.values.map((v, i) => {
		let given;
		if (c.raw) given = c.raw[i];
		else if (returned) given = constant(['i32', from.put(stored(c.t, v, from, c.from), align(c.t))]);
		else given = constant(lowered(c.t, v, from, c.from)[0]);
		return `      (if (i32.eq (global.get $n) (i32.const ${i})) (then (return ${given})))`;
	});
	if (c.data) from.data.push(...c.data);
	const seen = c.see ?? c.values;
	const out = c.at ?? 2048;
	const looks = seen.map((v) => (returned
		? [`      (call $f (i32.const ${out}))`, ...looksStored(c.t, v, `(i32.const ${out})`, 0, to, c.to)]
		: ['      (local.set $v (call $f))', ...looksFlat(c.t, v, [['(local.get $v)', core]], to, c.to)]).join('\n'));
	return header(c) + between(types, `(func $f (result ${t}))`, `
    (core module $m
      (import "a" "memory" (memory 2))
      (global $n (mut i32) (i32.const -1))
${from.segments()}
      (func (export "f") (result ${core})
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
${gives.join('\n')}
      unreachable))
    (core instance $i (instantiate $m (with "a" (instance $a))))
    (func (export "f") (result ${t}) (canon lift (core func $i "f") ${options(c.t, c.from)}))`, `
      (import "callee" "f" (func $f ${returned ? '(param i32)' : `(result ${core})`}))${help}
${to.segments()}
      (func (export "run") (result i32) (local $v ${returned ? 'i32' : core})
${looks.join('\n')}
      (i32.const 0))`, options(c.t, c.to), c);
}

// between has a component call another; code is of the caller.
function between(types, imported, callee, code, opts, c) {
	return `(component
  (component $Callee
${types.exported()}${allocator(c.result ? undefined : c.realloc)}${callee})
  (instance $callee (instantiate $Callee))
  (component $Caller
${types.imported()}
    (import "f" ${imported})${allocator(c.result ? c.realloc : undefined)}
    (core func $f' (canon lower (func $f) ${opts}))
    (core module $m
      (import "a" "memory" (memory 2))${code})
    (core instance $main (instantiate $m (with "a" (instance $a)) (with "callee" (instance (export "f" (func $f'))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (export "run" (func $run)))
  (instance $caller (instantiate $Caller ${types.given()} (with "f" (func $callee "f"))))
  (instance $cli (export "run" (func $caller "run")))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
`;
}

export { command, header, size };

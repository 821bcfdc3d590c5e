// Cases of calls between components: resources, what may be called when, and how instances are made.
import { command } from './text.mjs';

const out = [];
const add = (name, rule, what, text, must = 'returns') => out.push([name, `;; ${rule}: ${what}\n;; ${must}\n${text}`]);

const must = '(func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))';
const eq = (x, n) => `(call $must (i32.eq ${x} (i32.const ${n})))`;

// Functions of the component that defines the resource r: their types, and the core code.
const functions = {
	make: ['(param "n" u32) (result (own $r))', '(param i32) (result i32) (call $new (local.get 0))'],
	take: ['(param "h" (own $r)) (result u32)', '(param i32) (result i32) (local $rep i32) (local.set $rep (call $rep (local.get 0))) (call $drop (local.get 0)) (local.get $rep)'],
	keep: ['(param "h" (own $r))', '(param i32)'],
	look: ['(param "h" (borrow $r)) (result u32)', '(param i32) (result i32) (local.get 0)'],
	two: ['(param "a" (borrow $r)) (param "b" (borrow $r)) (result u32)', '(param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))'],
	'own-borrow': ['(param "a" (own $r)) (param "b" (borrow $r))', '(param i32 i32)'],
	'borrow-own': ['(param "a" (borrow $r)) (param "b" (own $r))', '(param i32 i32)'],
	'own-own': ['(param "a" (own $r)) (param "b" (own $r))', '(param i32 i32)'],
	stale: ['(param "h" (own $r)) (result u32)', '(param i32) (result i32) (call $drop (local.get 0)) (call $rep (local.get 0))'],
	again: ['(param "h" (own $r)) (result (own $r))', '(param i32) (result i32) (local.get 0)'],
	lies: ['(result (own $r))', '(result i32) (i32.const 77)'],
	maybe: ['(param "h" (option (own $r))) (result u32)', '(param i32 i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 99)))) (call $rep (local.get 1))'],
	flood: ['', ' (loop $l (drop (call $new (i32.const 1))) (br $l))'],
	forge: ['(param "n" u32) (result u32)', '(param i32) (result i32) (call $rep (local.get 0))'],
};
const counts = { dropped: '(result i32) (global.get $count)', last: '(result i32) (global.get $last)' };
const params = (core) => core.match(/^(\((param|result)[^)]*\)\s*)*/)[0];

const owner = (dtor) => `
  (component $Owner
    (core module $d
      (global $count (mut i32) (i32.const 0)) (global $last (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) ${dtor ?? ''} (global.set $last (local.get 0)) (global.set $count (i32.add (global.get $count) (i32.const 1))))
${Object.entries(counts).map(([n, c]) => `      (func (export "${n}") ${c})`).join('\n')})
    (core instance $d (instantiate $d))
    (type $r' (resource (rep i32) (dtor (core func $d "dtor"))))
    (core func $new (canon resource.new $r')) (core func $rep (canon resource.rep $r')) (core func $drop (canon resource.drop $r'))
    (core module $m
      (import "r" "new" (func $new (param i32) (result i32))) (import "r" "rep" (func $rep (param i32) (result i32))) (import "r" "drop" (func $drop (param i32)))
${Object.entries(functions).map(([n, [, c]]) => `      (func (export "${n}") ${c})`).join('\n')})
    (core instance $i (instantiate $m (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    (export $r "r" (type $r'))
${Object.entries(functions).map(([n, [t]]) => `    (func (export "${n}") ${t} (canon lift (core func $i "${n}")))`).join('\n')}
${Object.keys(counts).map((n) => `    (func (export "${n}") (result u32) (canon lift (core func $d "${n}")))`).join('\n')})
  (instance $owner (instantiate $Owner))`;

const all = { ...functions, ...Object.fromEntries(Object.entries(counts).map(([n, c]) => [n, ['(result u32)', c]])) };
// Third is given resources, and functions of the one that defines them: each of its own has a code.
const thirds = {
	use: ['(param "h" (borrow $r))', '(param i32)'], pass: ['(param "h" (own $r)) (result (own $r))', '(param i32) (result i32)'],
	fresh: ['(result (own $r))', '(result i32)'],
};
const importsOf = (names, from) => names.map((n) => `(import "o" "${n}" (func $${n} ${params(from[n][1])}))`).join(' ');
const lowers = (names) => names.map((n) => `    (core func $${n}' (canon lower (func $${n})))`).join('\n');

const third = (codes) => `
  (component $Third
    (import "r" (type $r (sub resource)))
${Object.entries(all).map(([n, [t]]) => `    (import "${n}" (func $${n} ${t}))`).join('\n')}
    (core func $drop' (canon resource.drop $r))
${lowers(Object.keys(all))}
    (core module $m
      ${importsOf(Object.keys(all), all)} (import "o" "drop" (func $drop (param i32)))
      ${must}
${Object.entries(thirds).map(([n, [, c]]) => `      (func (export "${n}") ${c} ${codes[n] ?? 'unreachable'})`).join('\n')})
    (core instance $i (instantiate $m (with "o" (instance ${Object.keys(all).map((n) => `(export "${n}" (func $${n}'))`).join(' ')} (export "drop" (func $drop'))))))
${Object.entries(thirds).map(([n, [t]]) => `    (func (export "${n}") ${t} (canon lift (core func $i "${n}")))`).join('\n')})
  (instance $third (instantiate $Third (with "r" (type $owner "r")) ${Object.keys(all).map((n) => `(with "${n}" (func $owner "${n}"))`).join(' ')}))`;

// resource has a component use the resource of another, and lend or give it to a third.
function resource(name, rule, what, code, verdict, codes = {}, dtor) {
	const names = [...Object.keys(all), ...Object.keys(thirds)];
	const both = { ...all, ...thirds };
	add(name, rule, what, `(component${owner(dtor)}${third(codes)}
  (component $User
    (import "r" (type $r (sub resource))) (import "s" (type $s (sub resource)))
${names.map((n) => `    (import "${n}" (func $${n} ${both[n][0]}))`).join('\n')}
    (core func $drop' (canon resource.drop $r)) (core func $drop-s' (canon resource.drop $s))
${lowers(names)}
    (core module $m
      ${importsOf(names, both)} (import "o" "drop" (func $drop (param i32))) (import "o" "drop-s" (func $drop-s (param i32)))
      ${must}
      (func (export "run") (result i32) (local $h i32) (local $k i32)
      ${code}
      (i32.const 0)))
    (core instance $main (instantiate $m (with "o" (instance ${names.map((n) => `(export "${n}" (func $${n}'))`).join(' ')} (export "drop" (func $drop')) (export "drop-s" (func $drop-s'))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (export "run" (func $run)))
  (type $other (resource (rep i32)))
  (instance $user (instantiate $User (with "r" (type $owner "r")) (with "s" (type $other)) ${Object.keys(all).map((n) => `(with "${n}" (func $owner "${n}"))`).join(' ')} ${Object.keys(thirds).map((n) => `(with "${n}" (func $third "${n}"))`).join(' ')}))
  (instance $cli (export "run" (func $user "run")))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
`, verdict);
}

const h = '(local.get $h)';
const made = (n) => `(local.set $h (call $make (i32.const ${n})))`;
resource('own-and-borrow', 'borrow', 'who defines a resource gets its rep for a borrow', `${made(7)} ${eq(`(call $look ${h})`, 7)} ${eq(`(call $look ${h})`, 7)} ${eq('(call $dropped)', 0)}`);
resource('own-given-back', 'own', 'who defines a resource gets a handle for an own, and its rep by that', `${made(7)} ${eq(`(call $take ${h})`, 7)} ${eq('(call $dropped)', 1)} ${eq('(call $last)', 7)}`);
resource('own-round-trip', 'own', 'an own may come back', `${made(5)} (local.set $h (call $again ${h})) ${eq(`(call $take ${h})`, 5)}`);
resource('own-dropped', 'resource.drop', 'to drop an own runs the destructor with its rep', `${made(9)} (call $drop ${h}) ${eq('(call $dropped)', 1)} ${eq('(call $last)', 9)}`);
resource('own-kept', 'own', 'an own that was given is not dropped', `${made(9)} (call $keep ${h}) ${eq('(call $dropped)', 0)}`);
resource('rep-of-all-ones', 'resource.rep', 'a rep is any 32 bits', `${made(-1)} ${eq(`(call $take ${h})`, -1)} ${made(0)} ${eq(`(call $look ${h})`, 0)}`);
resource('indices-used-again', 'handles', 'indices begin with 1, and are used again', `${eq('(call $make (i32.const 1))', 1)} ${eq('(call $make (i32.const 2))', 2)} (call $drop (i32.const 1)) ${eq('(call $make (i32.const 3))', 1)} ${eq('(call $make (i32.const 4))', 3)}`);
resource('option-of-own', 'own', 'owns within other values are given, too', `${made(3)} ${eq(`(call $maybe (i32.const 1) ${h})`, 3)} ${eq('(call $maybe (i32.const 0) (i32.const 0))', 99)}`);
resource('option-of-own-none', 'own', 'there is no own in a case without one', `${eq('(call $maybe (i32.const 0) (i32.const 55))', 99)}`);
resource('borrow-twice', 'borrow', 'one own may be lent twice in a call', `${made(4)} ${eq(`(call $two ${h} ${h})`, 8)} (call $drop ${h})`);
for (const [name, index] of [['zero', 0], ['guess', 1], ['far', 1000000], ['last', -1]]) {
	resource(`drop-index-${name}`, 'resource.drop', 'only a handle that is there is dropped', `(call $drop (i32.const ${index}))`, 'traps: no handle');
	resource(`own-index-${name}`, 'own', 'only a handle that is there is given', `(call $keep (i32.const ${index}))`, 'traps: no handle');
	resource(`borrow-index-${name}`, 'borrow', 'only a handle that is there is lent', `(drop (call $look (i32.const ${index})))`, 'traps: no handle');
	resource(`rep-index-${name}`, 'resource.rep', 'only a handle that is there has a rep', `(drop (call $forge (i32.const ${index})))`, 'traps: no handle');
}
resource('drop-twice', 'resource.drop', 'a handle is dropped once', `${made(1)} (call $drop ${h}) (call $drop ${h})`, 'traps: no handle');
resource('give-twice', 'own', 'a handle is given once', `${made(1)} (call $keep ${h}) (call $keep ${h})`, 'traps: no handle');
resource('give-after-drop', 'own', 'a handle that was dropped is not given', `${made(1)} (call $drop ${h}) (call $keep ${h})`, 'traps: no handle');
resource('lend-after-give', 'borrow', 'a handle that was given is not lent', `${made(1)} (call $keep ${h}) (drop (call $look ${h}))`, 'traps: no handle');
resource('lend-after-drop', 'borrow', 'a handle that was dropped is not lent', `${made(1)} (call $drop ${h}) (drop (call $look ${h}))`, 'traps: no handle');
resource('drop-after-give', 'resource.drop', 'a handle that was given is not dropped', `${made(1)} (call $keep ${h}) (call $drop ${h})`, 'traps: no handle');
resource('rep-after-drop', 'resource.rep', 'a handle that was dropped has no rep', `${made(1)} (drop (call $stale ${h}))`, 'traps: no handle');
resource('own-twice-in-a-call', 'own', 'a handle is given once, in one call, too', `${made(1)} (call $own-own ${h} ${h})`, 'traps: no handle');
resource('own-and-borrow-in-a-call', 'borrow', 'a handle that is given is not lent in the same call', `${made(1)} (call $own-borrow ${h} ${h})`, 'traps: no handle');
resource('borrow-and-own-in-a-call', 'lend', 'a handle that is lent is not given in the same call', `${made(1)} (call $borrow-own ${h} ${h})`, 'traps: while it is lent');
resource('result-no-handle', 'own', 'only a handle that is there is returned', `(drop (call $lies))`, 'traps: no handle');
resource('drop-other-resource', 'handles', 'a handle is of one resource', `${made(1)} (call $drop-s ${h})`, 'traps: is of resource');
resource('destructor-traps', 'resource.drop', 'a destructor that traps ends all', `${made(1)} (call $drop ${h})`, 'traps: unreachable', {}, 'unreachable');
resource('destructor-endless', 'resource.drop', 'a destructor has the fuel of all', `${made(1)} (call $drop ${h})`, 'stops: fuel', {}, '(loop $l (br $l))');
resource('many-handles', 'handles', 'handles are as many as the host allows', '(call $flood)', 'traps: more than 100000 handles');
resource('many-handles-one-after-the-other', 'handles', 'what is dropped takes no room', `(loop $l ${made(1)} (call $drop ${h}) (br_if $l (i32.lt_u (call $dropped) (i32.const 2000))))`);

const zero = '(local.get 0)';
const lend = (code, v, what, name) => resource(`third-${name}`, 'borrow', what, `${made(6)} (call $use ${h}) ${v === undefined ? `${eq(`(call $look ${h})`, 6)} (call $drop ${h}) ${eq('(call $dropped)', 1)}` : ''}`, v, { use: code });
lend(`(call $drop ${zero})`, undefined, 'a borrow is dropped by whom it was lent to; that destroys nothing', 'drops');
lend(`${eq(`(call $look ${zero})`, 6)} (call $drop ${zero})`, undefined, 'a borrow is lent on', 'lends-on');
lend('', 'traps: borrow', 'a borrow is dropped before the call returns', 'forgets');
lend(`(call $drop ${zero}) (call $drop ${zero})`, 'traps: no handle', 'a borrow is dropped once', 'drops-twice');
lend(`(call $keep ${zero})`, 'traps: is a borrow', 'a borrow is not given', 'gives');
lend(`(drop (call $look ${zero})) (drop (call $look (i32.add ${zero} (i32.const 1))))`, 'traps: no handle', 'a handle is of one component', 'guesses');
const twice = `(local $k i32) (local.set $k (call $make (i32.const 8))) (call $drop ${zero}) ${eq('(call $look (local.get $k))', 8)} (call $keep (local.get $k))`;
lend(twice, undefined, 'owns and borrows are in one table', 'makes');
resource('third-passes', 'own', 'an own goes through a component that does not define it', `${made(6)} (local.set $h (call $pass ${h})) ${eq(`(call $take ${h})`, 6)}`, 'returns', { pass: zero });
resource('third-drops-own', 'resource.drop', 'whoever owns a resource may drop it: its definer destroys it', `${made(6)} (local.set $k (call $pass ${h})) ${eq('(call $last)', 6)} ${eq('(call $look (local.get $k))', 11)}`, 'returns',
	{ pass: `(call $drop ${zero}) (call $make (i32.const 11))` });
resource('third-returns-what-it-gave', 'own', 'what was given is not returned', `${made(6)} (drop (call $pass ${h}))`, 'traps: no handle', { pass: `(call $keep ${zero}) ${zero}` });
resource('third-fresh', 'own', 'a resource is handed on by others', `(local.set $h (call $fresh)) ${eq(`(call $look ${h})`, 12)}`, 'returns', { fresh: '(call $make (i32.const 12))' });
resource('third-own-while-lent', 'own', 'components have handles of their own: the same index is another', `${made(6)} (call $use ${h}) ${eq(`(call $look ${h})`, 6)}`, 'returns',
	{ use: `(call $drop ${zero}) ${eq('(call $make (i32.const 2))', 1)}` });

// What may be called when: a component whose realloc, post-return or function calls its imports.
function leaving(name, rule, what, { realloc = '(i32.const 1024)', post = '', body = '(i32.const 256)', run = '' }, verdict) {
	add(name, rule, what, `(component
  (component $Other (core module $m (func (export "f"))) (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))
  (instance $other (instantiate $Other))
  (component $Callee
    (import "f" (func $f))
    (type $r (resource (rep i32)))
    (core func $f' (canon lower (func $f)))
    (core func $new (canon resource.new $r)) (core func $rep (canon resource.rep $r)) (core func $drop (canon resource.drop $r))
    (core module $m
      (import "o" "f" (func $f)) (import "o" "new" (func $new (param i32) (result i32))) (import "o" "rep" (func $rep (param i32) (result i32))) (import "o" "drop" (func $drop (param i32)))
      ${must}
      (memory (export "memory") 1)
      (global $h (mut i32) (i32.const 0)) (global $posts (mut i32) (i32.const 0)) (global $reallocs (mut i32) (i32.const 0))
      (data (i32.const 256) "\\08\\01\\00\\00\\03\\00\\00\\00abc")
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (global.set $reallocs (i32.add (global.get $reallocs) (i32.const 1))) ${realloc})
      (func (export "post") (param i32) (global.set $posts (i32.add (global.get $posts) (i32.const 1))) ${post})
      (func (export "say") (param i32 i32) (result i32) (global.set $h (call $new (i32.const 5))) ${body})
      (func (export "posts") (result i32) (global.get $posts)) (func (export "reallocs") (result i32) (global.get $reallocs)))
    (core instance $i (instantiate $m (with "o" (instance (export "f" (func $f')) (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    (func (export "say") (param "s" string) (result string) (canon lift (core func $i "say") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "post"))))
    (func (export "posts") (result u32) (canon lift (core func $i "posts"))) (func (export "reallocs") (result u32) (canon lift (core func $i "reallocs"))))
  (instance $callee (instantiate $Callee (with "f" (func $other "f"))))
  (core module $memory (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512)))
  (core instance $mem (instantiate $memory))
  (core func $say (canon lower (func $callee "say") (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))
  (core func $posts (canon lower (func $callee "posts"))) (core func $reallocs (canon lower (func $callee "reallocs")))
  (core module $m
    (import "mem" "memory" (memory 1)) (import "o" "say" (func $say (param i32 i32 i32))) (import "o" "posts" (func $posts (result i32))) (import "o" "reallocs" (func $reallocs (result i32)))
    ${must}
    (func (export "run") (result i32)
      (call $say (i32.const 0) (i32.const 3) (i32.const 64))
      ${run}
      (i32.const 0)))
  (core instance $main (instantiate $m (with "mem" (instance $mem)) (with "o" (instance (export "say" (func $say)) (export "posts" (func $posts)) (export "reallocs" (func $reallocs))))))${command}`, verdict);
}
const noExit = 'traps: called an import';
leaving('leave-body', 'may-leave', 'a function may call what it imports', { body: '(call $f) (i32.const 256)', run: `${eq('(i32.load (i32.const 68))', 3)} ${eq('(i32.load8_u (i32.load (i32.const 64)))', 97)}` });
leaving('leave-realloc-import', 'may-leave', 'realloc may not call an import', { realloc: '(call $f) (i32.const 1024)' }, noExit);
leaving('leave-realloc-new', 'may-leave', 'realloc may not make a resource', { realloc: '(drop (call $new (i32.const 1))) (i32.const 1024)' }, noExit);
leaving('leave-realloc-drop', 'may-leave', 'realloc may not drop a resource', { realloc: '(call $drop (i32.const 1)) (i32.const 1024)' }, noExit);
leaving('leave-post-import', 'may-leave', 'post-return may not call an import', { post: '(call $f)' }, noExit);
leaving('leave-post-new', 'may-leave', 'post-return may not make a resource', { post: '(drop (call $new (i32.const 1)))' }, noExit);
leaving('leave-post-drop', 'may-leave', 'post-return may not drop a resource', { post: '(call $drop (global.get $h))' }, noExit);
leaving('post-rep', 'may-leave', 'post-return may ask for a rep', { post: eq('(call $rep (global.get $h))', 5) });
leaving('post-once', 'post-return', 'post-return is called once for each call', { run: `${eq('(call $posts)', 1)} (call $say (i32.const 0) (i32.const 0) (i32.const 64)) ${eq('(call $posts)', 2)}` });
leaving('post-parameter', 'post-return', 'post-return gets what the function returned', { post: eq('(local.get 0)', 256) });
leaving('post-after-lifting', 'post-return', 'post-return is called when the result was read', { post: '(memory.fill (i32.const 256) (i32.const 0) (i32.const 16))', run: `${eq('(i32.load (i32.const 68))', 3)} ${eq('(i32.load8_u (i32.load (i32.const 64)))', 97)}` });
leaving('post-traps', 'post-return', 'a post-return that traps ends the call', { post: 'unreachable' }, 'traps: unreachable');
leaving('post-endless', 'post-return', 'post-return has the fuel of all', { post: '(loop $l (br $l))' }, 'stops: fuel');
leaving('realloc-once', 'realloc', 'realloc is called once for a string that is there as it must be', { run: eq('(call $reallocs)', 1) });
leaving('realloc-parameters', 'realloc', 'realloc is asked for so many bytes, aligned to so much, in place of nothing', { realloc: `${eq('(local.get 0)', 0)} ${eq('(local.get 1)', 0)} ${eq('(local.get 2)', 1)} ${eq('(local.get 3)', 3)} (i32.const 1024)` });
leaving('body-traps', 'traps', 'a trap ends all components of the program', { body: 'unreachable' }, 'traps: unreachable');
leaving('body-endless', 'limits', 'all components of a program have one fuel', { body: '(loop $l (br $l)) unreachable' }, 'stops: fuel');
leaving('body-deep', 'limits', 'calls within a component are nested only so deep', { body: '(call $deep) (i32.const 256)) (func $deep (call $deep)' }, 'stops: stack');
leaving('memory-limit', 'limits', 'all components of a program have one limit of memory', { body: '(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) (i32.const 256)' }, 'stops: memory');

// What an instance is made of.
const program = (before, imports, code, withs) => `(component${before}
  (core module $m ${imports} ${must}
    (func (export "run") (result i32)
      ${code}
      (i32.const 0)))
  (core instance $main (instantiate $m ${withs}))${command}`;
const link = (name, rule, what, before, imports, code, withs, verdict) => add(name, rule, what, program(before, imports, code, withs), verdict);

link('shared-memory', 'core-instances', 'core modules share a memory', `
  (core module $a (memory (export "m") 1) (func (export "set") (i32.store (i32.const 8) (i32.const 77)))) (core instance $a (instantiate $a))`,
'(import "a" "m" (memory 1)) (import "a" "set" (func $set))', `(call $set) ${eq('(i32.load (i32.const 8))', 77)}`, '(with "a" (instance $a))');
link('shared-memory-grows', 'core-instances', 'a memory that grows does so for all', `
  (core module $a (memory (export "m") 1) (func (export "grow") (drop (memory.grow (i32.const 1))))) (core instance $a (instantiate $a))`,
'(import "a" "m" (memory 1)) (import "a" "grow" (func $grow))', `(call $grow) ${eq('(memory.size)', 2)} (i32.store (i32.const 100000) (i32.const 1))`, '(with "a" (instance $a))');
link('shared-table', 'core-instances', 'core modules share a table', `
  (core module $a (table (export "t") 2 funcref) (func $f (result i32) (i32.const 5)) (elem (i32.const 1) func $f)) (core instance $a (instantiate $a))`,
'(import "a" "t" (table 2 funcref)) (type $f (func (result i32)))', eq('(call_indirect (type $f) (i32.const 1))', 5), '(with "a" (instance $a))');
link('shared-table-fixup', 'core-instances', 'a module that is made later puts its functions where an earlier one calls them', `
  (core module $a (table (export "t") 1 funcref) (type $f (func (result i32))) (func (export "call") (result i32) (call_indirect (type $f) (i32.const 0)))) (core instance $a (instantiate $a))
  (core module $b (import "a" "t" (table 1 funcref)) (func $f (result i32) (i32.const 31)) (elem (i32.const 0) func $f)) (core instance (instantiate $b (with "a" (instance $a))))`,
'(import "a" "call" (func $call (result i32)))', eq('(call $call)', 31), '(with "a" (instance $a))');
link('table-empty', 'core-instances', 'who calls an empty element traps', `
  (core module $a (table (export "t") 1 funcref)) (core instance $a (instantiate $a))`,
'(import "a" "t" (table 1 funcref)) (type $f (func (result i32)))', '(drop (call_indirect (type $f) (i32.const 0)))', '(with "a" (instance $a))', 'traps: table');
link('table-other-type', 'core-instances', 'who calls a function of another type traps', `
  (core module $a (table (export "t") 1 funcref) (func $f) (elem (i32.const 0) func $f)) (core instance $a (instantiate $a))`,
'(import "a" "t" (table 1 funcref)) (type $f (func (result i32)))', '(drop (call_indirect (type $f) (i32.const 0)))', '(with "a" (instance $a))', 'traps: indirect call');
link('shared-global', 'core-instances', 'core modules share a global that changes', `
  (core module $a (global (export "g") (mut i32) (i32.const 3)) (func (export "set") (global.set 0 (i32.const 4)))) (core instance $a (instantiate $a))`,
'(import "a" "g" (global $g (mut i32))) (import "a" "set" (func $set))', `${eq('(global.get $g)', 3)} (call $set) ${eq('(global.get $g)', 4)}`, '(with "a" (instance $a))');
link('two-instances-of-a-module', 'core-instances', 'instances of a module share nothing', `
  (core module $a (global $g (mut i32) (i32.const 0)) (func (export "next") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))
  (core instance $a (instantiate $a)) (core instance $b (instantiate $a))`,
'(import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32)))', `${eq('(call $a)', 1)} ${eq('(call $a)', 2)} ${eq('(call $b)', 1)}`, '(with "a" (instance $a)) (with "b" (instance $b))');
link('bundle', 'core-instances', 'exports of several instances are bundled, with other names', `
  (core module $a (func (export "one") (result i32) (i32.const 1)) (memory (export "m") 1)) (core instance $a (instantiate $a))
  (core module $b (func (export "one") (result i32) (i32.const 2))) (core instance $b (instantiate $b))`,
'(import "x" "b" (func $b (result i32))) (import "x" "a" (func $a (result i32))) (import "x" "mem" (memory 1))', `${eq('(call $a)', 1)} ${eq('(call $b)', 2)}`,
'(with "x" (instance (export "a" (func $a "one")) (export "b" (func $b "one")) (export "mem" (memory $a "m"))))');
link('start', 'core-instances', 'start functions run in the order of the instances', `
  (core module $a (global (export "g") (mut i32) (i32.const 1)) (func $s (global.set 0 (i32.add (i32.mul (global.get 0) (i32.const 10)) (i32.const 2)))) (start $s)) (core instance $a (instantiate $a))
  (core module $b (import "a" "g" (global (mut i32))) (func $s (global.set 0 (i32.add (i32.mul (global.get 0) (i32.const 10)) (i32.const 3)))) (start $s)) (core instance (instantiate $b (with "a" (instance $a))))`,
'(import "a" "g" (global $g (mut i32)))', eq('(global.get $g)', 123), '(with "a" (instance $a))');
link('start-traps', 'core-instances', 'a start function that traps ends all', `
  (core module $a (func $s unreachable) (start $s)) (core instance $a (instantiate $a))`, '', '', '', 'traps: unreachable');
link('start-endless', 'limits', 'start functions have the fuel of all', `
  (core module $a (func $s (loop $l (br $l))) (start $s)) (core instance $a (instantiate $a))`, '', '', '', 'stops: fuel');
link('data-beyond', 'core-instances', 'data beyond the memory end all', `
  (core module $a (memory 1) (data (i32.const 65536) "a")) (core instance $a (instantiate $a))`, '', '', '', 'traps: out of bounds');
link('start-not-by-name', 'core-instances', 'no export of a core module is run because of its name', `
  (core module $a (func (export "_start") unreachable) (func (export "_initialize") unreachable)) (core instance $a (instantiate $a))`, '', '', '');

const add1 = '(core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))';
const viaF = (f) => [`  (core func $f (canon lower (func ${f})))`, '(import "o" "f" (func $f (param i32) (result i32)))', '(with "o" (instance (export "f" (func $f))))'];
const nest = (name, rule, what, before, f, want) => {
	const [lower, imports, withs] = viaF(f);
	link(name, rule, what, `\n${before}\n${lower}`, imports, eq('(call $f (i32.const 5))', want), withs);
};
nest('nested', 'components', 'a component within another is called', `  (component $A ${add1}) (instance $a (instantiate $A))`, '$a "f"', 6);
const wrap = (n, inner) => `(component $L${n} (component $In ${inner}) (instance $in (instantiate $In)) (core func $f (canon lower (func $in "f")))
  (core module $m (import "o" "f" (func $f (param i32) (result i32))) (func (export "f") (param i32) (result i32) (i32.mul (i32.const 2) (call $f (local.get 0)))))
  (core instance $i (instantiate $m (with "o" (instance (export "f" (func $f)))))) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))`;
const body = (text) => text.replace(/^\(component \$L\d+ /, '').replace(/\)$/, '');
nest('nested-three', 'components', 'components are nested', `  ${wrap(1, body(wrap(2, body(wrap(3, add1)))))} (instance $a (instantiate $L1))`, '$a "f"', 48);
const chained = (n) => `(component $C (import "g" (func $g (param "n" u32) (result u32))) (core func $g (canon lower (func $g)))
  (core module $m (import "o" "g" (func $g (param i32) (result i32))) (func (export "f") (param i32) (result i32) (i32.add (i32.const ${n}) (call $g (local.get 0)))))
  (core instance $i (instantiate $m (with "o" (instance (export "g" (func $g)))))) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))`;
nest('argument-function', 'components', 'a component is given functions of another', `  (component $A ${add1}) (instance $a (instantiate $A)) ${chained(10)} (instance $b (instantiate $C (with "g" (func $a "f"))))`, '$b "f"', 16);
nest('chain-of-five', 'components', 'instances of one component are given each other', `  (component $A ${add1}) (instance $a (instantiate $A)) ${chained(10)}
  (instance $b (instantiate $C (with "g" (func $a "f")))) (instance $c (instantiate $C (with "g" (func $b "f")))) (instance $d (instantiate $C (with "g" (func $c "f")))) (instance $e (instantiate $C (with "g" (func $d "f"))))`, '$e "f"', 46);
nest('argument-instance', 'components', 'a component is given an instance', `  (component $A ${add1}) (instance $a (instantiate $A))
  (component $B (import "i" (instance $i (export "f" (func (param "n" u32) (result u32))))) (export "f" (func $i "f"))) (instance $b (instantiate $B (with "i" (instance $a))))`, '$b "f"', 6);
nest('argument-component', 'components', 'a component is given a component', `  (component $A ${add1})
  (component $B (import "c" (component $c (export "f" (func (param "n" u32) (result u32))))) (instance $i (instantiate $c)) (export "f" (func $i "f"))) (instance $b (instantiate $B (with "c" (component $A))))`, '$b "f"', 6);
nest('argument-module', 'components', 'a component is given a core module', `  (core module $M (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3))))
  (component $B (import "m" (core module $m (export "f" (func (param i32) (result i32))))) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $b (instantiate $B (with "m" (core module $M))))`, '$b "f"', 8);
nest('outer-module', 'components', 'a component instantiates a core module of the one around it', `  (core module $M (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 4))))
  (component $B (alias outer 1 $M (core module $m)) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $b (instantiate $B))`, '$b "f"', 9);
nest('outer-component', 'components', 'a component instantiates a component of the one around it', `  (component $A ${add1})
  (component $B (alias outer 1 $A (component $a)) (instance $i (instantiate $a)) (export "f" (func $i "f"))) (instance $b (instantiate $B))`, '$b "f"', 6);
nest('instance-of-exports', 'components', 'an instance is made of exports, and aliased', `  (component $A ${add1}) (instance $a (instantiate $A)) (instance $x (export "g" (func $a "f"))) (instance $y (export "x" (instance $x))) (alias export $y "x" (instance $z))`, '$z "g"', 6);
link('two-instances-of-a-component', 'components', 'instances of a component share nothing', `
  (component $A (core module $m (global $g (mut i32) (i32.const 0)) (func (export "f") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))) (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))
  (instance $a (instantiate $A)) (instance $b (instantiate $A)) (core func $a (canon lower (func $a "f"))) (core func $b (canon lower (func $b "f")))`,
'(import "o" "a" (func $a (result i32))) (import "o" "b" (func $b (result i32)))', `${eq('(call $a)', 1)} ${eq('(call $a)', 2)} ${eq('(call $b)', 1)}`, '(with "o" (instance (export "a" (func $a)) (export "b" (func $b))))');
link('own-function', 'may-enter', 'a component may call a function that it lifted itself', `
  (core module $a (func (export "f"))) (core instance $a (instantiate $a)) (func $f (canon lift (core func $a "f"))) (core func $f' (canon lower (func $f)))`,
'(import "o" "f" (func $f))', '(call $f)', '(with "o" (instance (export "f" (func $f\'))))');
// Each instance of $X calls a function of the component around them, which calls what is in its table.
const around = (inTable) => `
  (core module $t (table (export "t") 1 funcref) (type $v (func)) (func (export "p") (call_indirect (type $v) (i32.const 0)))) (core instance $t (instantiate $t))
  (func $p (canon lift (core func $t "p")))
  (component $X (import "p" (func $p)) (core func $p' (canon lower (func $p)))
    (core module $m (import "o" "p" (func $p)) (func (export "g") (call $p)) (func (export "f"))) (core instance $i (instantiate $m (with "o" (instance (export "p" (func $p'))))))
    (func (export "g") (canon lift (core func $i "g"))) (func (export "f") (canon lift (core func $i "f"))))
  (instance $x (instantiate $X (with "p" (func $p)))) (instance $y (instantiate $X (with "p" (func $p))))
  (core func $f (canon lower (func ${inTable})))
  (core module $fill (import "t" "t" (table 1 funcref)) (import "o" "f" (func $f)) (elem (i32.const 0) func $f)) (core instance (instantiate $fill (with "t" (instance $t)) (with "o" (instance (export "f" (func $f))))))
  (core func $g (canon lower (func $x "g")))`;
for (const [name, inTable, what, verdict] of [
	['re-entry', '$x "f"', 'a component that waits for a call is not entered, by way of the one around it either', 'traps: entered already'],
	['re-entry-of-itself', '$x "g"', 'a component that waits for a call does not come back to itself', 'traps: entered already'],
	['no-re-entry', '$y "f"', 'another instance of the same component is entered', 'returns'],
])
	link(name, 'may-enter', what, around(inTable), '(import "o" "g" (func $g))', '(call $g)', '(with "o" (instance (export "g" (func $g))))', verdict);
link('child-calls-parent', 'may-enter', 'a component may call the function of the one around it that it was given', `
  (core module $a (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))) (core instance $a (instantiate $a)) (func $f (param "n" u32) (result u32) (canon lift (core func $a "f")))
  ${chained(10)} (instance $c (instantiate $C (with "g" (func $f)))) (core func $g (canon lower (func $c "f")))`,
'(import "o" "g" (func $g (param i32) (result i32)))', eq('(call $g (i32.const 5))', 17), '(with "o" (instance (export "g" (func $g))))');

export default out;

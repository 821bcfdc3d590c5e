"""Makes vectors.json.gz: what the definitions of the canonical ABI say of random types,
values and memories, and of guests that answer realloc with nonsense.

    python3 vectors.py DIR | gzip -9n > vectors.json.gz

DIR has definitions.py of the component model's specification
(design/mvp/canonical-abi/, commit 6d281649); it is run, nothing of it is kept.

A vector is an object, all of them are in one array:

  op      layout: what T is in memory and in core values
          args, result: lower the arguments of an export, the result of an import
          params, returned: lift the parameters of an import, the result of an export
  types   T, or the types of all parameters
  enc     of strings: 0 utf-8, 1 utf-16, 2 latin1+utf-16
  mem     the memory before, lifting; after, lowering: hexadecimal, the rest of 64 KiB is 0
  flat    core values, as bits in hexadecimal
  values  as they are lowered, or were lifted
  alloc   each call of realloc: its four parameters and its result; it copies what was there
  out     where the result of an import goes
  trap    true: it is one, and what should come of it is not there

Integers of 64 bits are decimal strings, floats their bits, list<u8> is hexadecimal.
"""
import json, random, struct, sys

sys.path.insert(0, sys.argv[1])
import definitions as d

d.DETERMINISTIC_PROFILE = True
rnd = random.Random(7)
SIZE = 65536
ENC = ['utf8', 'utf16', 'latin1+utf16']
INTS = {'s8': (8, 1), 'u8': (8, 0), 's16': (16, 1), 'u16': (16, 0), 's32': (32, 1), 'u32': (32, 0), 's64': (64, 1), 'u64': (64, 0)}
PRIMS = list(INTS) + ['bool', 'f32', 'f64', 'char', 'string']


class Context(d.LiftLowerContext):
    """Calls realloc without the machinery of tasks."""

    def reallocate(self, *args):
        return self.opts.realloc(*args)


class Heap:
    """A realloc that never frees. Its call number bad, if any, returns nonsense."""

    def __init__(self, mem, bad=-1):
        self.mem, self.at, self.log, self.bad = mem, 64, [], bad

    def __call__(self, old, old_size, align, size):
        p = (self.at + align - 1) // align * align
        if old and size < old_size:
            p = old
        if len(self.log) == self.bad:
            p = rnd.choice([p + 1, 0, SIZE, SIZE - 1, 2**32 - align, 8, p + 16, old])
        elif p != old:
            self.at = p + size
        n = min(old_size, size)
        if p + n <= SIZE and old + n <= SIZE:
            self.mem[p:p + n] = self.mem[old:old + n]
        self.log.append([old, old_size, align, size, p])
        return p


def context(mem, enc, realloc=None):
    opts = d.CanonicalOptions()
    opts.memory, opts.string_encoding, opts.realloc = d.MemInst(mem, 'i32'), ENC[enc], realloc
    return Context(opts, d.ComponentInstance(d.Store()))


# Types. Ours are JSON: a string, or an object with one key.

def some_type(depth):
    kinds = ['list', 'record', 'tuple', 'variant', 'option', 'result', 'enum', 'flags']
    if depth == 0 or rnd.random() < .35:
        return rnd.choice(PRIMS)
    sub = lambda: some_type(depth - 1)
    maybe = lambda: sub() if rnd.random() < .7 else None
    match rnd.choice(kinds):
        case 'list': return {'list': sub()}
        case 'record': return {'record': [sub() for _ in range(rnd.randint(1, 4))]}
        case 'tuple': return {'tuple': [sub() for _ in range(rnd.randint(1, 4))]}
        case 'variant': return {'variant': [maybe() for _ in range(rnd.choice([1, 2, 3, 5, 300]) if depth == 1 else rnd.randint(1, 4))]}
        case 'option': return {'option': sub()}
        case 'result': return {'result': [maybe(), maybe()]}
        case 'enum': return {'enum': rnd.choice([1, 2, 255, 256, 257, 65536, 65537])}
        case 'flags': return {'flags': rnd.choice([1, 7, 8, 9, 16, 17, 31, 32])}


def names(n): return ['c%d' % i for i in range(n)]


def theirs(t):
    if t is None:
        return None
    if isinstance(t, str):
        return getattr(d, t.capitalize() + 'Type')()
    [(k, v)] = t.items()
    match k:
        case 'list': return d.ListType(theirs(v))
        case 'record': return d.RecordType([d.FieldType('f%d' % i, theirs(u)) for i, u in enumerate(v)])
        case 'tuple': return d.TupleType([theirs(u) for u in v])
        case 'variant': return d.VariantType([d.CaseType(n, theirs(u)) for n, u in zip(names(len(v)), v)])
        case 'option': return d.OptionType(theirs(v))
        case 'result': return d.ResultType(theirs(v[0]), theirs(v[1]))
        case 'enum': return d.EnumType(names(v))
        case 'flags': return d.FlagsType(names(v))


CASES = {'option': ['none', 'some'], 'result': ['ok', 'error']}


def cases(k, v):
    match k:
        case 'option': return [('none', None), ('some', v)]
        case 'result': return list(zip(CASES['result'], v))
        case 'enum': return [(n, None) for n in names(v)]
        case 'variant': return list(zip(names(len(v)), v))


# Values, in our JSON.

TEXTS = ['', 'a', 'realm', 'h\u00e4', '\u00ff', '\u0100', 'ab\u0100', '\u00e9\u00e9\u65e5', '\u65e5\u672c', '\U0001f600', 'x\U0010ffff\u00ff', '\ud7ff\ue000', '\x00', 'abcdefgh\u00fc', '\uffff']


def some_value(t):
    if isinstance(t, str):
        if t in INTS:
            bits, signed = INTS[t]
            n = rnd.choice([0, 1, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1, rnd.getrandbits(bits)])
            if signed and n >> bits - 1:
                n -= 1 << bits
            return str(n) if bits == 64 else n
        match t:
            case 'bool': return rnd.random() < .5
            case 'f32': return '%08x' % rnd.choice([0, 0x80000000, 0x7fc00000, 0x7f800000, 0xff800000, 1, 0x3f800000, 0x7f7fffff])
            case 'f64': return '%016x' % rnd.choice([0, 1 << 63, 0x7ff8000000000000, 0x7ff0000000000000, 1, 0x3ff0000000000000, rnd.getrandbits(62)])
            case 'char': return rnd.choice([0, 65, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff])
            case 'string': return rnd.choice(TEXTS)
    [(k, v)] = t.items()
    match k:
        case 'list' if v == 'u8': return rnd.randbytes(rnd.choice([0, 1, 5, 40])).hex()
        case 'list': return [some_value(v) for _ in range(rnd.choice([0, 1, 2, 5]))]
        case 'record' | 'tuple': return [some_value(u) for u in v]
        case 'flags': return rnd.getrandbits(v)
        case 'enum': return rnd.choice([0, v - 1, rnd.randrange(v)])
    c = cases(k, v)
    i = rnd.randrange(len(c))
    return {'case': i} if c[i][1] is None else {'case': i, 'value': some_value(c[i][1])}


def to_theirs(t, v):
    if isinstance(t, str):
        match t:
            case 's64' | 'u64': return int(v)
            case 'f32': return struct.unpack('>f', bytes.fromhex(v))[0]
            case 'f64': return struct.unpack('>d', bytes.fromhex(v))[0]
            case 'char': return chr(v)
            case 'string': return (v, 'utf8', len(v.encode()))
        return v
    [(k, u)] = t.items()
    match k:
        case 'list' if u == 'u8': return list(bytes.fromhex(v))
        case 'list': return [to_theirs(u, x) for x in v]
        case 'record': return {'f%d' % i: to_theirs(w, x) for i, (w, x) in enumerate(zip(u, v))}
        case 'tuple': return {str(i): to_theirs(w, x) for i, (w, x) in enumerate(zip(u, v))}
        case 'flags': return {n: bool(v >> i & 1) for i, n in enumerate(names(u))}
        case 'enum': return {names(u)[v]: None}
    name, of = cases(k, u)[v['case']]
    return {name: None if of is None else to_theirs(of, v['value'])}


def to_ours(t, v):
    if isinstance(t, str):
        match t:
            case 's64' | 'u64': return str(v)
            case 'f32': return struct.pack('>f', v).hex()
            case 'f64': return struct.pack('>d', v).hex()
            case 'char': return ord(v)
            case 'string': return v[0]
        return v
    [(k, u)] = t.items()
    match k:
        case 'list' if u == 'u8': return bytes(v).hex()
        case 'list': return [to_ours(u, x) for x in v]
        case 'record' | 'tuple': return [to_ours(w, x) for w, x in zip(u, v.values())]
        case 'flags': return sum(1 << i for i, x in enumerate(v.values()) if x)
        case 'enum': return names(u).index(list(v)[0])
    [(name, x)] = v.items()
    c = cases(k, u)
    i = [n for n, _ in c].index(name)
    return {'case': i} if c[i][1] is None else {'case': i, 'value': to_ours(c[i][1], x)}


# Core values, as bits.

def to_bits(t, v):
    match t:
        case 'f32': return struct.unpack('<I', struct.pack('<f', v))[0]
        case 'f64': return struct.unpack('<Q', struct.pack('<d', v))[0]
    return v


def from_bits(t, b):
    match t:
        case 'i32': return b % 2**32
        case 'f32': return struct.unpack('<f', struct.pack('<I', b % 2**32))[0]
        case 'f64': return struct.unpack('<d', struct.pack('<Q', b))[0]
    return b


def flatten(ts, most):
    cx = context(bytearray(), 0)
    flat = d.flatten_types([theirs(t) for t in ts], cx.opts)
    return ['i32'] if len(flat) > most else flat


def short(mem): return bytes(mem).rstrip(b'\0').hex()


out = []


def lower(op, ts, values, enc, bad, where=None):
    mem = bytearray(SIZE)
    heap = Heap(mem, bad)
    cx = context(mem, enc, heap)
    v = {'op': op, 'types': ts, 'enc': enc, 'values': values, 'alloc': heap.log}
    most = d.MAX_FLAT_PARAMS if op == 'args' else d.MAX_FLAT_RESULTS
    param = None
    if op == 'result':
        v['out'] = where
        param = d.CoreValueIter([where])
    spilled = len(d.flatten_types([theirs(t) for t in ts], cx.opts)) > most
    try:
        flat = d.lower_flat_values(cx, most, [to_theirs(t, x) for t, x in zip(ts, values)], [theirs(t) for t in ts], param)
        kinds = [] if op == 'result' and spilled else flatten(ts, most)
        v['flat'] = ['%x' % to_bits(k, x) for k, x in zip(kinds, flat, strict=True)]
        v['mem'] = short(mem)
    except d.Trap:
        v['trap'] = True
    if len(v.get('mem', '')) < 6000:
        out.append(v)
    return v, mem


def lift(op, ts, enc, mem, flat):
    cx = context(bytearray(mem), enc)
    most = d.MAX_FLAT_PARAMS if op == 'params' else d.MAX_FLAT_RESULTS
    kinds = flatten(ts, most)
    v = {'op': op, 'types': ts, 'enc': enc, 'mem': short(mem), 'flat': ['%x' % b for b in flat]}
    try:
        got = d.lift_flat_values(cx, most, d.CoreValueIter([from_bits(k, b) for k, b in zip(kinds, flat, strict=True)]), [theirs(t) for t in ts])
        v['values'] = [to_ours(t, x) for t, x in zip(ts, got)]
        if len(json.dumps(v['values'])) > 3000:
            return
    except d.Trap:
        v['trap'] = True
    out.append(v)


def mutated(mem, flat, kinds):
    mem, flat = bytearray(mem), list(flat)
    for _ in range(rnd.randint(1, 3)):
        used = len(bytes(mem).rstrip(b'\0')) + 8
        odd = rnd.choice([0, 1, 2, 0xd8, 0x7f, 0x80, 0xff, rnd.getrandbits(8)])
        if flat and rnd.random() < .5:
            i = rnd.randrange(len(flat))
            flat[i] = rnd.choice([flat[i] ^ 1 << rnd.randrange(32), flat[i] + 1, odd, SIZE - odd, 2**32 - 1, 1 << 31, 1 << 28, flat[i] | 1 << 63])
            flat[i] %= 2**64 if kinds[i] in ('i64', 'f64') else 2**32
        elif used > 72:
            mem[rnd.randrange(64, used)] = odd
    return mem, flat


def about(t):
    cx = context(bytearray(), 0)
    u = theirs(t)
    out.append({'op': 'layout', 'types': [t], 'flat': d.flatten_type(u, cx.opts),
                'size': d.elem_size(u, 'i32'), 'align': d.alignment(u, 'i32')})
    pad = ['u64'] * rnd.choice([0, 1, 15, 16])
    for n in range(2):
        enc = rnd.randrange(3)
        ts = [t] + (pad if n else [])
        values = [some_value(x) for x in ts]
        v, mem = lower('args', ts, values, enc, -1)
        bits = [int(x, 16) for x in v['flat']]
        lift('params', ts, enc, mem, bits)
        for _ in range(3):
            lift('params', ts, enc, *mutated(mem, bits, flatten(ts, d.MAX_FLAT_PARAMS)))
        if v['alloc']:
            lower('args', ts, values, enc, rnd.randrange(len(v['alloc'])))
    enc = rnd.randrange(3)
    value = some_value(t)
    v, mem = lower('result', [t], [value], enc, -1, 32)
    bits = [int(x, 16) for x in v['flat']] or [32]
    lift('returned', [t], enc, mem, bits)
    for _ in range(3):
        lift('returned', [t], enc, *mutated(mem, bits, flatten([t], d.MAX_FLAT_RESULTS)))
    lower('result', [t], [value], enc, -1, rnd.choice([33, 36, SIZE, SIZE - 4, 2**32 - 4, 2**32 - 1]))
    if v['alloc']:
        lower('result', [t], [value], enc, rnd.randrange(len(v['alloc'])), 32)


for t in PRIMS + [{'list': p} for p in PRIMS]:
    about(t)
for enc in range(3):
    for s in TEXTS:
        v, mem = lower('args', ['string'], [s], enc, -1)
        for bad in range(len(v['alloc'])):
            for _ in range(3):
                lower('args', ['string'], [s], enc, bad)
        bits = [int(x, 16) for x in v['flat']]
        for _ in range(4):
            lift('params', ['string'], enc, *mutated(mem, bits, ['i32', 'i32']))
for _ in range(400):
    t = some_type(3)
    if not isinstance(t, str):
        about(t)

print('[\n' + ',\n'.join(json.dumps(v, separators=(',', ':')) for v in out) + '\n]')

package wasm

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// reader walks through bytes. The first thing that is wrong is kept in err, and all
// that is read then is zero: callers look at err where they would loop or allocate.
type reader struct {
	b    []byte
	pos  int
	base int // offset of b in the module
	fn   int // function in whose body it is; -1: in none
	err  *Error
}

func (r *reader) failAt(pos int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: r.base + pos, Func: r.fn, Reason: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) fail(format string, args ...any) { r.failAt(r.pos, format, args...) }

func (r *reader) left() int { return len(r.b) - r.pos }

// more reports whether there is something to read, and nothing was wrong so far.
func (r *reader) more() bool { return r.err == nil && r.pos < len(r.b) }

func (r *reader) byte() byte {
	if r.err != nil || r.pos >= len(r.b) {
		r.fail("it is cut short")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// take returns the next n bytes, of the reader's own.
func (r *reader) take(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(r.left()) {
		r.fail("it is cut short: %d bytes are announced, %d are left", n, r.left())
		return nil
	}
	c := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return c
}

// sub returns a reader of the next n bytes.
func (r *reader) sub(n uint32, fn int) reader {
	base := r.base + r.pos
	b := r.take(n)
	return reader{b: b, base: base, fn: fn, err: r.err}
}

// u32 reads an unsigned LEB128 number of at most 32 bits (§5.2.2).
func (r *reader) u32() uint32 {
	if r.err == nil && r.pos < len(r.b) && r.b[r.pos] < 0x80 { // as most are
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	at := r.pos
	v := uint64(0)
	for shift := uint(0); shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > math.MaxUint32 {
				break
			}
			return uint32(v)
		}
	}
	r.failAt(at, "a number has more than 32 bits")
	return 0
}

// signed reads a signed LEB128 number of at most that many bits.
func (r *reader) signed(bits uint) int64 {
	at := r.pos
	v := int64(0)
	for shift := uint(0); shift < bits; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if rest := bits - shift; rest < 7 { // bits beyond the number repeat its sign
			if high := int8(c<<1) >> rest; high != 0 && high != -1 {
				break
			}
		}
		if shift+7 < 64 && c&0x40 != 0 {
			v |= -1 << (shift + 7)
		}
		return v
	}
	r.failAt(at, "a number has more than %d bits", bits)
	return 0
}

// count reads how many things of at least size bytes each follow, at most limit.
func (r *reader) count(what string, limit, size int) int {
	at := r.pos
	n := r.u32()
	switch {
	case int64(n) > int64(limit):
		r.failAt(at, "%d %s, at most %d", n, what, limit)
	case int64(n)*int64(size) > int64(r.left()):
		r.failAt(at, "it is cut short: %d %s are announced, %d bytes are left", n, what, r.left())
	default:
		return int(n)
	}
	return 0
}

// name reads a name: UTF-8 (§5.2.4).
func (r *reader) name(limit int) string {
	at := r.pos
	b := r.take(uint32(r.count("bytes of a name", limit, 1)))
	if !utf8.Valid(b) {
		r.failAt(at, "a name is not UTF-8")
		return ""
	}
	return string(b)
}

func (r *reader) valueType() ValueType {
	at := r.pos
	t := ValueType(r.byte())
	if r.err == nil && !t.known() {
		r.failAt(at, "value type %#x is not known", byte(t))
	}
	return t
}

func (r *reader) refType() ValueType {
	at := r.pos
	t := ValueType(r.byte())
	if r.err == nil && !t.Ref() {
		r.failAt(at, "reference type %#x is not known", byte(t))
	}
	return t
}

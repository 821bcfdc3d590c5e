package binary

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
	base int // offset of b in the outermost component
	err  *Error
}

func (r *reader) failAt(pos int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: r.base + pos, Reason: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) fail(format string, args ...any) { r.failAt(r.pos, format, args...) }

// unknown says that the byte that was read last is none of those there are.
func (r *reader) unknown(what string, c byte) {
	r.failAt(r.pos-1, "%s %#x is not known", what, c)
}

func (r *reader) left() int { return len(r.b) - r.pos }

// more reports whether there is something to read, and nothing was wrong so far.
func (r *reader) more() bool { return r.err == nil && r.pos < len(r.b) }

// here is the offset of what is read next.
func (r *reader) here() int { return r.base + r.pos }

func (r *reader) byte() byte {
	if r.err != nil || r.pos >= len(r.b) {
		r.fail("it is cut short")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// peek returns the next byte, and 0 if there is none.
func (r *reader) peek() byte {
	if !r.more() {
		return 0
	}
	return r.b[r.pos]
}

// flag reads whether something is there.
func (r *reader) flag(what string) bool {
	c := r.byte()
	if c > 1 {
		r.unknown(what, c)
	}
	return r.err == nil && c == 1
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

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
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

// index reads an index that is written as a signed LEB128 number of 33 bits, since
// negative ones stand for something else there.
func (r *reader) index() uint32 {
	at := r.pos
	v := int64(0)
	for shift := uint(0); shift < 35; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if c&0x40 != 0 || v > math.MaxUint32 {
			break
		}
		return uint32(v)
	}
	r.failAt(at, "an index of a type is negative, or has more than 32 bits")
	return 0
}

func (r *reader) optional(what string) *uint32 {
	if !r.flag(what) {
		return nil
	}
	i := r.u32()
	return &i
}

// string reads a name: UTF-8.
func (r *reader) string(limit int) string {
	at := r.pos
	n := r.u32()
	if int64(n) > int64(limit) {
		r.failAt(at, "a name of %d bytes, at most %d", n, limit)
	}
	b := r.take(n)
	if !utf8.Valid(b) {
		r.failAt(at, "a name is not UTF-8")
		return ""
	}
	return string(b)
}

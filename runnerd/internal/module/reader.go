package module

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var errShort = errors.New("it is cut short")

// reader walks through bytes. Its first error sticks: from then on it returns
// zeros and stands at the end, so that loops over it end.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.b)
}

func (r *reader) failf(format string, args ...any) { r.fail(fmt.Errorf(format, args...)) }

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) byte() byte {
	if r.left() < 1 {
		r.fail(errShort)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

// bytes returns the next n bytes without copying them.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail(errShort)
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

// leb reads a LEB128 number of at most size bits and drops its value when it is signed.
func (r *reader) leb(size int) uint64 {
	var v uint64
	for shift := 0; shift < size; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
	}
	r.failf("a number has too many bytes")
	return 0
}

func (r *reader) u32() uint32 {
	v := r.leb(32)
	if v > 1<<32-1 {
		r.failf("a number is out of range")
		return 0
	}
	return uint32(v)
}

// s32 reads a signed 32-bit number.
func (r *reader) s32() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if c&0x40 != 0 {
			v |= -1 << (shift + 7)
		}
		if int64(int32(v)) != v {
			break
		}
		return int32(v)
	}
	r.failf("a number is out of range")
	return 0
}

// count reads how many items follow, each of which takes at least size bytes.
func (r *reader) count(what string, ceiling, size int) int {
	n := r.u32()
	switch {
	case r.err != nil:
	case uint64(n) > uint64(ceiling):
		r.failf("%d %s: at most %d are taken", n, what, ceiling)
	case uint64(n)*uint64(size) > uint64(r.left()):
		r.failf("it declares %d %s and has no room for them", n, what)
	default:
		return int(n)
	}
	return 0
}

func (r *reader) name() string {
	n := r.u32()
	if n > maxName {
		r.failf("a name of %d bytes: at most %d are taken", n, maxName)
		return ""
	}
	b := r.bytes(n)
	if !utf8.Valid(b) {
		r.failf("a name is not UTF-8")
		return ""
	}
	return string(b)
}

// limits reads the bounds of a memory or table; max is nil where there is none.
func (r *reader) limits() (low uint32, high *uint32) {
	flag := r.byte()
	switch flag {
	case 0:
		return r.u32(), nil
	case 1:
		low, top := r.u32(), r.u32()
		return low, &top
	}
	r.failf("limits of kind %#x (shared or 64-bit memory) are not taken", flag)
	return 0, nil
}

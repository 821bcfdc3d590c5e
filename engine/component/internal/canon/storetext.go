package canon

import (
	"context"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxText is the longest string that is lowered, in bytes of UTF-8: of its worst
// case in the other encodings realloc can be asked. It is more than can be lifted, as
// what is lifted from Latin-1 or UTF-16 grows.
const maxText = 1<<31 - 1

// storeText lowers a string, whose length is then in units of the guest's encoding. What is
// asked of realloc, and when, is as the canonical ABI has it for a source in UTF-8.
func (f *frame) storeText(ctx context.Context, s string) (ptr, units uint32, err error) {
	if len(s) > maxText {
		return 0, 0, &ValueError{Want: "a string of at most 2147483647 bytes", Got: "a longer one"}
	}
	if err := f.work(ctx, 0, int64(len(s))); err != nil {
		return 0, 0, err
	}
	if !utf8.ValidString(s) {
		return 0, 0, &ValueError{Want: "a string of UTF-8", Got: "a string of other bytes"}
	}
	switch f.opts.Encoding {
	case UTF16:
		return f.toUTF16(ctx, s)
	case Latin1UTF16:
		return f.toLatin1(ctx, s)
	}
	ptr, err = f.fill(ctx, unsafe.Slice(unsafe.StringData(s), len(s))) // read only
	return ptr, uint32(len(s)), err
}

// toUTF16 asks for the worst case, and gives back what is too much.
func (f *frame) toUTF16(ctx context.Context, s string) (ptr, units uint32, err error) {
	worst := 2 * uint32(len(s))
	if ptr, err = f.realloc(ctx, 0, 0, 2, worst); err != nil {
		return 0, 0, err
	}
	b, err := f.memory(ptr, worst, 2)
	if err != nil {
		return 0, 0, err
	}
	n, err := f.encode(ctx, b, s)
	if err != nil {
		return 0, 0, err
	}
	ptr, err = f.shrink(ctx, ptr, worst, n)
	return ptr, n / 2, err
}

// toLatin1 hopes for Latin-1, and turns to UTF-16 at the first character that is not.
func (f *frame) toLatin1(ctx context.Context, s string) (ptr, units uint32, err error) {
	size := uint32(len(s))
	if ptr, err = f.realloc(ctx, 0, 0, 2, size); err != nil {
		return 0, 0, err
	}
	b, err := f.memory(ptr, size, 2)
	if err != nil {
		return 0, 0, err
	}
	n, paid := uint32(0), 0
	for i, r := range s {
		if err := f.pace(ctx, i, &paid); err != nil {
			return 0, 0, err
		}
		if r > 0xff {
			return f.widen(ctx, s[i:], ptr, n, size)
		}
		b[n] = byte(r)
		n++
	}
	ptr, err = f.shrink(ctx, ptr, size, n)
	return ptr, n, err
}

// widen goes on in UTF-16 with the rest of a string of size bytes, of which n
// characters are at ptr in Latin-1.
func (f *frame) widen(ctx context.Context, rest string, ptr, n, size uint32) (_, units uint32, err error) {
	worst := 2 * size
	if ptr, err = f.realloc(ctx, ptr, size, 2, worst); err != nil {
		return 0, 0, err
	}
	b, err := f.memory(ptr, worst, 2)
	if err != nil {
		return 0, 0, err
	}
	for i := int(n) - 1; i >= 0; i-- {
		b[2*i], b[2*i+1] = b[i], 0
	}
	wide, err := f.encode(ctx, b[2*n:], rest)
	if err != nil {
		return 0, 0, err
	}
	total := 2*n + wide
	ptr, err = f.shrink(ctx, ptr, worst, total)
	return ptr, total/2 | wideTag, err
}

// encode writes s in UTF-16 and returns how many bytes that took. There is room.
func (f *frame) encode(ctx context.Context, b []byte, s string) (uint32, error) {
	n, paid := 0, 0
	for i, r := range s {
		if err := f.pace(ctx, i, &paid); err != nil {
			return 0, err
		}
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			binary.LittleEndian.PutUint16(b[n:], uint16(high))
			r, n = low, n+2
		}
		binary.LittleEndian.PutUint16(b[n:], uint16(r))
		n += 2
	}
	return uint32(n), nil
}

// shrink gives back what is not used of from bytes.
func (f *frame) shrink(ctx context.Context, ptr, from, to uint32) (uint32, error) {
	if from == to {
		return ptr, nil
	}
	return f.realloc(ctx, ptr, from, 2, to)
}

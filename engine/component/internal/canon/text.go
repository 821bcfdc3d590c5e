package canon

import (
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// wideTag is set in the length of a string of Latin1UTF16 that is in UTF-16.
const wideTag = 1 << 31

// loadText lifts a string. The units of its length are those of its encoding.
func (f *frame) loadText(ctx context.Context, ptr, units uint32) (any, error) {
	size, align := uint64(units), uint32(1)
	wide := f.opts.Encoding == UTF16
	if f.opts.Encoding == Latin1UTF16 {
		align = 2
		wide = units&wideTag != 0
		size = uint64(units &^ wideTag)
	}
	if wide {
		size, align = 2*size, 2
	}
	if size > maxSize {
		return nil, trapf("a string takes %d bytes, more than %d", size, maxSize)
	}
	b, err := f.memory(ptr, uint32(size), align)
	if err != nil {
		return nil, err
	}
	if err := f.buy(ctx, stringBytes+int64(len(b))); err != nil {
		return nil, err
	}
	switch {
	case wide:
		return f.fromUTF16(ctx, b)
	case f.opts.Encoding == Latin1UTF16:
		return f.fromLatin1(ctx, b)
	case !utf8.Valid(b):
		return nil, trap("a string is not UTF-8")
	}
	return string(b), nil
}

// fromLatin1 has paid for its bytes once; each may become two.
func (f *frame) fromLatin1(ctx context.Context, b []byte) (any, error) {
	high := 0
	for _, c := range b {
		high += int(c >> 7)
	}
	if high == 0 {
		return string(b), nil
	}
	if err := f.buy(ctx, int64(high)); err != nil {
		return nil, err
	}
	var s strings.Builder
	s.Grow(len(b) + high)
	paid := 0
	for i, c := range b {
		if err := f.pace(ctx, i, &paid); err != nil {
			return nil, err
		}
		s.WriteRune(rune(c))
	}
	return s.String(), nil
}

// fromUTF16 has paid for its bytes once; each pair of them may become three, and it takes
// longer.
func (f *frame) fromUTF16(ctx context.Context, b []byte) (any, error) {
	size, paid := 0, 0
	for i := 0; i < len(b); {
		if err := f.pace(ctx, i, &paid); err != nil {
			return nil, err
		}
		r, n := decodeUTF16(b[i:])
		if r == utf8.RuneError && n == 0 {
			return nil, trap("a string is not UTF-16")
		}
		i += n
		size += utf8.RuneLen(r)
	}
	if err := f.buy(ctx, int64(size)); err != nil {
		return nil, err
	}
	var s strings.Builder
	s.Grow(size)
	paid = 0
	for i := 0; i < len(b); {
		if err := f.pace(ctx, i, &paid); err != nil {
			return nil, err
		}
		r, n := decodeUTF16(b[i:])
		s.WriteRune(r)
		i += n
	}
	return s.String(), nil
}

// textPiece is how many bytes are looked at between two looks at the meter.
const textPiece = 1 << 12

// pace charges for what is done byte by byte, of which i are done.
func (f *frame) pace(ctx context.Context, i int, paid *int) error {
	if i < *paid {
		return nil
	}
	*paid += textPiece
	return f.work(ctx, textPiece/valueFuel, 0)
}

// decodeUTF16 returns the first character of b, which is not empty, and how many bytes it
// takes: none if it is a surrogate without another.
func decodeUTF16(b []byte) (rune, int) {
	r := rune(binary.LittleEndian.Uint16(b))
	if !utf16.IsSurrogate(r) {
		return r, 2
	}
	if len(b) < 4 {
		return utf8.RuneError, 0
	}
	if r = utf16.DecodeRune(r, rune(binary.LittleEndian.Uint16(b[2:]))); r == utf8.RuneError {
		return r, 0
	}
	return r, 4
}

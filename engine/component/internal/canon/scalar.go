package canon

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// NaNs are all the same to components; this is the one that is seen.
const (
	nan32 = 0x7fc00000
	nan64 = 0x7ff8000000000000
)

// value is the scalar whose core value is bits; those that it does not use are ignored.
func (l *layout) value(bits uint64) (any, error) {
	switch l.kind {
	case wit.Bool:
		return uint32(bits) != 0, nil
	case wit.S8:
		return int8(bits), nil
	case wit.U8:
		return uint8(bits), nil
	case wit.S16:
		return int16(bits), nil
	case wit.U16:
		return uint16(bits), nil
	case wit.S32:
		return int32(bits), nil
	case wit.U32:
		return uint32(bits), nil
	case wit.S64:
		return int64(bits), nil
	case wit.U64:
		return bits, nil
	case wit.F32:
		return math.Float32frombits(quiet32(uint32(bits))), nil
	case wit.F64:
		return math.Float64frombits(quiet64(bits)), nil
	case wit.Char:
		if bits := uint32(bits); bits > utf8.MaxRune || !utf8.ValidRune(rune(bits)) {
			return nil, trapf("%#x is not a char", bits)
		}
		return rune(uint32(bits)), nil
	case wit.Enum:
		if uint32(bits) >= l.count {
			return nil, trapf("case %d of an enum that has %d", uint32(bits), l.count)
		}
		return uint32(bits), nil
	default: // flags
		return uint32(bits) & l.mask(), nil
	}
}

// mask has the bits that flags have.
func (l *layout) mask() uint32 { return uint32(1<<l.count - 1) }

func quiet32(bits uint32) uint32 {
	if f := math.Float32frombits(bits); f != f { // a NaN
		return nan32
	}
	return bits
}

func quiet64(bits uint64) uint64 {
	if f := math.Float64frombits(bits); f != f { // a NaN
		return nan64
	}
	return bits
}

// bits is the core value of a scalar.
func (l *layout) bits(v any) (uint64, error) {
	switch v := v.(type) {
	case bool:
		if l.kind == wit.Bool {
			if v {
				return 1, nil
			}
			return 0, nil
		}
	case int8:
		if l.kind == wit.S8 {
			return uint64(uint32(v)), nil
		}
	case uint8:
		if l.kind == wit.U8 {
			return uint64(v), nil
		}
	case int16:
		if l.kind == wit.S16 {
			return uint64(uint32(v)), nil
		}
	case uint16:
		if l.kind == wit.U16 {
			return uint64(v), nil
		}
	case int32: // a rune, too
		if l.kind == wit.S32 || l.kind == wit.Char && utf8.ValidRune(v) {
			return uint64(uint32(v)), nil
		}
	case uint32:
		if l.kind == wit.U32 || l.kind == wit.Enum && v < l.count || l.kind == wit.Flags && v&^l.mask() == 0 {
			return uint64(v), nil
		}
	case int64:
		if l.kind == wit.S64 {
			return uint64(v), nil
		}
	case uint64:
		if l.kind == wit.U64 {
			return v, nil
		}
	case float32:
		if l.kind == wit.F32 {
			return uint64(quiet32(math.Float32bits(v))), nil
		}
	case float64:
		if l.kind == wit.F64 {
			return quiet64(math.Float64bits(v)), nil
		}
	}
	return 0, l.wrong(v)
}

// peek reads an unsigned number of n bytes, poke writes one.
func peek(b []byte, n uint32) uint64 {
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func poke(b []byte, n uint32, v uint64) {
	switch n {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

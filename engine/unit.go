package engine

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/realm-mesh/realm/engine/meter"
)

// A unit is what is compiled, loaded and cached together: a core module by itself, or
// unitMagic and core modules, each as the length of its code (4 bytes, big endian), the
// number of segments of its image, the code, and for each segment its address, its length and
// itself.

// unitMagic begins a unit that is no core module by itself.
const unitMagic = "\x00realm-unit\x00"

// maxUnit is how many core modules a unit may have.
const maxUnit = 1000

var errUnit = errors.New("it is not what this version compiles")

// part is a core module of a unit.
type part struct {
	code  []byte
	image []meter.Segment // see [meter.Module.Image]
}

func pack(parts []part) []byte {
	if len(parts) == 1 && len(parts[0].image) == 0 {
		return parts[0].code
	}
	out := []byte(unitMagic)
	u32 := func(n int) { out = binary.BigEndian.AppendUint32(out, uint32(n)) }
	for _, p := range parts {
		u32(len(p.code))
		u32(len(p.image))
		out = append(out, p.code...)
		for _, s := range p.image {
			u32(int(s.At))
			u32(len(s.Init))
			out = append(out, s.Init...)
		}
	}
	return out
}

// unpack returns the modules of a unit, whose bytes they refer to.
func unpack(unit []byte) (parts []part, err error) {
	rest, is := bytes.CutPrefix(unit, []byte(unitMagic))
	if !is {
		return []part{{code: unit}}, nil
	}
	u := &unpacker{rest: rest}
	for len(u.rest) > 0 && !u.wrong && len(parts) <= maxUnit {
		size, segments := u.u32(), u.u32()
		p := part{code: u.bytes(size)}
		for i := uint32(0); i < segments && !u.wrong; i++ {
			at, size := u.u32(), u.u32()
			p.image = append(p.image, meter.Segment{At: at, Init: u.bytes(size)})
		}
		parts = append(parts, p)
	}
	if u.wrong || len(parts) > maxUnit {
		return nil, errUnit
	}
	return parts, nil
}

// unpacker reads a unit.
type unpacker struct {
	rest  []byte
	wrong bool // there was less than there should be
}

func (u *unpacker) bytes(n uint32) (b []byte) {
	if uint64(n) > uint64(len(u.rest)) {
		u.wrong, u.rest = true, nil
		return nil
	}
	b, u.rest = u.rest[:n:n], u.rest[n:]
	return b
}

func (u *unpacker) u32() uint32 {
	if b := u.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

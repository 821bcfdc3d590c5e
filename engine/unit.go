package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// A unit is what is compiled, loaded and cached together: a core module, or those of a
// component, as unitMagic, and for each its length (4 bytes, big endian) and itself.

// unitMagic begins a unit that is no core module by itself.
const unitMagic = "\x00realm-unit\x00"

// maxUnit is how many core modules a unit may have.
const maxUnit = 1000

var errUnit = errors.New("it is not what this version compiles")

func pack(modules [][]byte) []byte {
	out := []byte(unitMagic)
	for _, m := range modules {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(m))), m...)
	}
	return out
}

// unpack returns the modules of a unit.
func unpack(unit []byte) (modules [][]byte, err error) {
	rest, is := bytes.CutPrefix(unit, []byte(unitMagic))
	if !is {
		return [][]byte{unit}, nil
	}
	for len(rest) > 0 {
		if len(rest) < 4 || len(modules) == maxUnit {
			return nil, errUnit
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(n) > uint64(len(rest)) {
			return nil, errUnit
		}
		modules, rest = append(modules, rest[:n]), rest[n:]
	}
	return modules, nil
}

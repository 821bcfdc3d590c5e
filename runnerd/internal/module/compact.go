package module

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// maxGap is the most zeros, in bytes, that are written out to join two pieces of
// data: about what a piece of its own costs.
const maxGap = 256

// Compact returns the module in b without custom sections and, where that
// changes nothing that a program can see, with its data in few pieces: stock Go
// emits some 28,000 of them, and an instance pays for each.
//
// Pieces are joined only if all of them are active, at constant offsets, do not
// overlap, and no instruction can name one (there is no data count section, which
// such instructions need). The gaps between them are zero either way, since a
// memory of one's own begins as zeros; hence an imported memory forbids it.
func (m *Module) Compact(b []byte) []byte {
	out := append(make([]byte, 0, len(b)), b[:headerSize]...)
	for _, s := range m.sections {
		body := s.body
		if s.id == sectionData {
			body = m.compactData(body)
		}
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

func (m *Module) compactData(body []byte) []byte {
	pieces, ok := m.readData(&reader{b: body})
	if !ok || m.has(sectionDataCount) || m.importsMemory() {
		return body
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.offset, b.offset) })
	joined := make([]piece, 0, 64)
	end := uint64(0) // of the last piece, in memory
	for _, p := range pieces {
		switch {
		case len(joined) == 0:
		case uint64(p.offset) < end:
			return body
		case uint64(p.offset)-end <= maxGap:
			last := &joined[len(joined)-1]
			last.data = append(last.data, make([]byte, uint64(p.offset)-end)...)
			last.data = append(last.data, p.data...)
			end = uint64(p.offset) + uint64(len(p.data))
			continue
		}
		// A capacity of its own: growing it must not run over the module's bytes.
		joined = append(joined, piece{offset: p.offset, data: p.data[:len(p.data):len(p.data)]})
		end = uint64(p.offset) + uint64(len(p.data))
	}
	return encodeData(joined, len(body))
}

func (m *Module) importsMemory() bool {
	for _, i := range m.Imports {
		if i.Kind == KindMemory {
			return true
		}
	}
	return false
}

func encodeData(pieces []piece, size int) []byte {
	out := binary.AppendUvarint(make([]byte, 0, size), uint64(len(pieces)))
	for _, p := range pieces {
		out = append(out, 0, 0x41)
		out = appendSigned(out, int32(p.offset))
		out = append(out, 0x0b)
		out = binary.AppendUvarint(out, uint64(len(p.data)))
		out = append(out, p.data...)
	}
	return out
}

// appendSigned appends v as signed LEB128.
func appendSigned(b []byte, v int32) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

package wasihttp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// section is one of a component or a core module, without its number and its length.
type section struct {
	id   byte
	body []byte
}

// header is what components and core modules begin with.
const header = 8

// Sections in which others are.
const (
	ofModule    = 1
	ofComponent = 4
)

// split takes a valid component or core module apart.
func split(b []byte) (out []section) {
	for b = b[header:]; len(b) > 0; {
		n, w := binary.Uvarint(b[1:])
		body := b[1+w : 1+w+int(n)]
		out = append(out, section{b[0], bytes.Clone(body)})
		b = b[1+w+int(n):]
	}
	return out
}

func joined(head []byte, sections []section) []byte {
	out := bytes.Clone(head)
	for _, s := range sections {
		out = append(binary.AppendUvarint(append(out, s.id), uint64(len(s.body))), s.body...)
	}
	return out
}

// mutant is a component in which something is not as it was, in a place or two.
func mutant(r *rand.Rand, b []byte) []byte {
	for range 1 + r.IntN(4)/3 {
		b = changed(r, b)
	}
	return b
}

// changed goes into one of the sections, or changes which there are.
func changed(r *rand.Rand, b []byte) []byte {
	if r.IntN(50) == 0 {
		return b[:r.IntN(len(b)+1)] // cut off
	}
	if len(b) <= header || !whole(b) {
		return poked(r, b)
	}
	sections := split(b)
	i := chosen(r, sections, component(b))
	s := &sections[i]
	switch n := r.IntN(100); {
	case n < 2:
		sections = slices.Insert(sections, r.IntN(len(sections)), *s)
	case n < 4:
		sections = slices.Delete(sections, i, i+1)
	case n < 6:
		k := r.IntN(len(sections))
		sections[i], sections[k] = sections[k], sections[i]
	case component(b) && (s.id == ofModule || s.id == ofComponent) && len(s.body) > header:
		s.body = changed(r, s.body)
	default:
		s.body = poked(r, s.body)
	}
	return joined(b[:header], sections)
}

// chosen is a section: most often a core module, and in those most often a large one. What is
// elsewhere hangs together, so that most changes of it are refused.
func chosen(r *rand.Rand, sections []section, component bool) int {
	for range 100 {
		i := r.IntN(len(sections))
		s := sections[i]
		switch {
		case s.id == 0: // it means nothing
		case component && (s.id == ofModule || r.IntN(4) == 0), !component && r.IntN(1<<10) < len(s.body):
			return i
		}
	}
	return r.IntN(len(sections))
}

func component(b []byte) bool { return b[4] == 0x0d }

// whole reports whether split would not go beyond the end: b may be a mutant already.
func whole(b []byte) bool {
	for b = b[header:]; len(b) > 0; {
		n, w := binary.Uvarint(b[1:])
		if w <= 0 || n > uint64(len(b)-1-w) {
			return false
		}
		b = b[1+w+int(n):]
	}
	return true
}

// poked has a byte or two of b changed: most numbers are one byte.
func poked(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return []byte{byte(r.Uint32())}
	}
	b = bytes.Clone(b)
	i, k := r.IntN(len(b)), r.IntN(len(b))
	switch r.IntN(6) {
	case 0:
		b[i] ^= 1 << r.IntN(8)
	case 1:
		b[i] = byte(r.Uint32())
	case 2:
		b[i]++
	case 3:
		b[i]--
	case 4:
		b[i], b[k] = b[k], b[i]
	case 5:
		b[i] = b[k]
	}
	return b
}

package engine

import (
	"bytes"
	"testing"
)

func TestMemoryGrowsInPlace(t *testing.T) {
	for name, m := range map[string]*memory{"reserved": {}, "heap": {}} {
		t.Run(name, func(t *testing.T) {
			defer m.free()
			if name == "reserved" {
				m.Allocate(0, 4<<20)
			}
			b := m.Reallocate(1 << 16)
			copy(b, "kept")
			b[len(b)-1] = 1
			b = m.Reallocate(1 << 20)
			if len(b) != 1<<20 || !bytes.HasPrefix(b, []byte("kept")) || b[1<<16-1] != 1 {
				t.Errorf("%d bytes, %q", len(b), b[:4])
			}
			if i := bytes.IndexFunc(b[1<<16:], func(r rune) bool { return r != 0 }); i >= 0 {
				t.Errorf("what is new holds something at %d", i)
			}
			if b = m.Reallocate(4 << 20); len(b) != 4<<20 || cap(b) != 4<<20 && m.space != nil {
				t.Errorf("%d bytes, room for %d", len(b), cap(b))
			}
			m.Free()
			b[0] = 2 // still there
			m.free()
			m.free()
		})
	}
}

func TestMemoryWithoutAddressSpace(t *testing.T) {
	var m memory
	m.Allocate(0, 1<<62)
	defer m.free()
	if b := m.Reallocate(1 << 16); len(b) != 1<<16 {
		t.Errorf("%d bytes", len(b))
	}
	var none memory
	none.Allocate(0, 0)
	if b := none.Reallocate(0); len(b) != 0 {
		t.Errorf("%d bytes", len(b))
	}
}

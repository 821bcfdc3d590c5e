package engine

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"github.com/realm-mesh/realm/engine/meter"
)

func TestImageIsLaidIntoMemories(t *testing.T) {
	page := uint64(os.Getpagesize())
	long := bytes.Repeat([]byte("realm"), int(page))
	segments := []meter.Segment{{At: uint32(page) + 7, Init: long}, {At: uint32(page) + 9, Init: []byte("over it")}}
	want := make([]byte, 1<<20)
	for _, s := range segments {
		copy(want[s.At:], s.Init)
	}
	withFile := newImage(segments)
	defer withFile.close()
	if runtime.GOOS == "linux" && withFile.file == nil {
		t.Error("it is no file")
	}
	for name, i := range map[string]*image{"as the system can": withFile, "copied": {at: page, size: withFile.size, segments: segments}} {
		for _, reserved := range []bool{true, false} {
			var all memories
			newMemory := func(size uint64) []byte {
				one := &memory{begin: i}
				all = append(all, one)
				if reserved {
					one.Allocate(0, 2<<20)
				}
				return one.Reallocate(size)
			}
			b := newMemory(1 << 20)
			if !bytes.Equal(b, want) {
				t.Fatalf("%s, reserved: %v: a memory begins with something else", name, reserved)
			}
			b[page], b[page+8], b[0] = 1, 2, 3
			if other := newMemory(1 << 20); !bytes.Equal(other, want) {
				t.Errorf("%s, reserved: %v: a memory has what another has written", name, reserved)
			}
			b = all[0].Reallocate(2 << 20)
			if b[page] != 1 || b[page+8] != 2 || b[0] != 3 || !bytes.Equal(b[page+9:1<<20], want[page+9:]) {
				t.Errorf("%s, reserved: %v: it has changed as it grew", name, reserved)
			}
			if newMemory(page) != nil {
				t.Errorf("%s, reserved: %v: a memory takes more than it is long", name, reserved)
			}
			all.free()
		}
	}
	if newImage(nil) != nil {
		t.Error("there is an image of nothing")
	}
}

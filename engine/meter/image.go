package meter

import "github.com/realm-mesh/realm/engine/internal/wasm"

// Segment is bytes that a memory begins with, from At on.
type Segment struct {
	At   uint32
	Init []byte
}

const (
	// minImage is how many bytes are worth an image: fewer are copied as soon.
	minImage = 64 << 10
	// maxSpread is how many times as long as its bytes an image may be.
	maxSpread = 4
)

// Image is what the module's memory begins with in each instance, if [Options] ask for it
// and it is worth it: [Module.Instrument] leaves it out, and who makes instances puts it
// there before anything of them runs. Segments may overlap: later ones count. They refer to
// the bytes that the module was read from.
func (m *Module) Image() []Segment { return m.image }

// imageOf takes all active segments, if no instance can be made without them: then nothing can tell
// when they were copied, as nobody else sees the memory before. Passive ones stay. What
// has been copied is nothing any more for memory.init, as the specification has it.
func imageOf(m *wasm.Module) (image []Segment) {
	if m.Imported[wasm.ExternMemory] > 0 || len(m.Memories) == 0 {
		return nil
	}
	size := int64(m.Memories[0].Min) << 16
	begin, end, sum := size, int64(0), int64(0)
	for _, s := range m.Data {
		if s.Mode == wasm.Passive {
			continue
		}
		at, ok := constant(s.At)
		after := at + int64(len(s.Init))
		if !ok || after > size {
			return nil
		}
		if len(s.Init) == 0 {
			continue
		}
		begin, end, sum = min(begin, at), max(end, after), sum+int64(len(s.Init))
		image = append(image, Segment{uint32(at), s.Init})
	}
	if sum < minImage || end-begin > maxSpread*sum {
		return nil
	}
	return image
}

// withoutImage are the segments that stay, and empty ones in place of the others where code
// names segments.
func withoutImage(m *wasm.Module) []wasm.Data {
	if !m.NamesData {
		return nil // passive ones are of no use then
	}
	out := make([]wasm.Data, len(m.Data))
	for i, s := range m.Data {
		if s.Mode != wasm.Passive {
			s.Init = nil
		}
		out[i] = s
	}
	return out
}

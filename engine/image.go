package engine

import (
	"os"

	"github.com/realm-mesh/realm/engine/meter"
)

// image is what the memories of a module begin with. Where the system can, it lies in a
// file that has no name, and memories have its pages until they write to them: an instance
// pays for what it uses, and not for all that it could.
type image struct {
	at, size uint64 // of the pages that it is on
	segments []meter.Segment
	file     *os.File // has them in place of segments; nil: there is none
}

// newImage returns nil for nothing. It refers to the segments only where it has no file.
func newImage(segments []meter.Segment) *image {
	if len(segments) == 0 {
		return nil
	}
	i := &image{at: uint64(segments[0].At)}
	end := uint64(0)
	for _, s := range segments {
		i.at = min(i.at, uint64(s.At))
		end = max(end, uint64(s.At)+uint64(len(s.Init)))
	}
	page := uint64(os.Getpagesize())
	i.at -= i.at % page
	i.size = (end - i.at + page - 1) / page * page
	if i.file = newFile(i.at, i.size, segments); i.file == nil {
		i.segments = segments
	}
	return i
}

// lay puts the image into a new memory, and reports whether it could. The memory is
// reserved, or lies in the heap.
func (i *image) lay(memory []byte, reserved bool) bool {
	if i.at+i.size > uint64(len(memory)) {
		return false
	}
	for _, s := range i.segments {
		copy(memory[s.At:], s.Init)
	}
	switch b := memory[i.at : i.at+i.size]; {
	case i.file == nil:
		return true
	case reserved:
		return replace(b, i.file)
	default:
		_, err := i.file.ReadAt(b, 0)
		return err == nil
	}
}

// close releases the image. Memories keep what they have of it.
func (i *image) close() {
	if i != nil && i.file != nil {
		i.file.Close()
	}
}

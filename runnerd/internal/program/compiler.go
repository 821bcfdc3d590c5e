package program

import (
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// NewCompiler returns a compiler whose children are started by program, this very
// executable, and whose machine code is kept in the folder cache as long as the disk has
// room. Its errors are those of [engine.Compiler.Ensure], and [disk.ErrFull].
func NewCompiler(program, cache string) *engine.Compiler {
	c := engine.NewCompiler(program, cache)
	c.Room = func(dir string, bytes int64) error { return disk.Room(dir, bytes, disk.ReserveBulk) }
	return c
}

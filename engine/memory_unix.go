//go:build unix

package engine

import (
	"math"

	"golang.org/x/sys/unix"
)

// reserve sets address space aside, which takes no memory before it is committed. It
// returns nil where the system has none left.
func reserve(size uint64) []byte {
	if size == 0 || size > math.MaxInt {
		return nil
	}
	space, err := unix.Mmap(-1, 0, int(size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil
	}
	return space
}

// commit makes the beginning of what was reserved usable. It holds zeros.
func commit(space []byte) bool { return unix.Mprotect(space, unix.PROT_READ|unix.PROT_WRITE) == nil }

// release gives all of what was reserved back.
func release(space []byte) { _ = unix.Munmap(space) } // fails for no space of ours

//go:build linux || darwin

package engine

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Limits of the child. Address space is more than memory: Go reserves some that it
// never touches.
const (
	maxAddressSpace = 4 << 30 // bytes
	maxFile         = 1 << 30 // bytes of machine code
)

// limitSelf sets the limits of this process, the hard ones too.
func limitSelf() error {
	limits := map[int]uint64{
		unix.RLIMIT_CPU:   uint64(maxTime.Seconds()) * compileThreads,
		unix.RLIMIT_FSIZE: maxFile,
		unix.RLIMIT_CORE:  0,
	}
	if runtime.GOOS == "linux" { // macOS knows the name, and does not hold to it
		limits[unix.RLIMIT_AS] = maxAddressSpace
	}
	for what, limit := range limits {
		if err := lower(what, limit); err != nil {
			return fmt.Errorf("limit the compiler: %w", err)
		}
	}
	return nil
}

// lower lowers a limit; one that is lower already stays.
func lower(what int, limit uint64) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(what, &r); err != nil {
		return err
	}
	limit = min(limit, r.Max)
	return unix.Setrlimit(what, &unix.Rlimit{Cur: limit, Max: limit})
}

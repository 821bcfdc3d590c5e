package keyagent

import (
	"errors"

	"golang.org/x/sys/unix"
)

// harden keeps the key out of core dumps, and other processes of the user from
// reading the memory.
func harden() error {
	return errors.Join(noCore(), unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

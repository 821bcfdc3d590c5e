//go:build linux || darwin

package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is what this thread has had of a processor, in the guest and in what the
// host does for it.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // never fails for this clock
	return time.Duration(t.Nano())
}

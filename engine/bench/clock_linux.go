package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock is the time that the processors gave to this thread: what other programs take
// does not count.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return time.Since(began)
	}
	return time.Duration(ts.Nano())
}

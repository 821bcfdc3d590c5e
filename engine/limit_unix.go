//go:build linux || darwin

package engine

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits of the child. Address space is more than memory: Go reserves some that it
// never touches.
const (
	maxAddressSpace = 4 << 30 // bytes
	maxFile         = 1 << 30 // bytes of machine code
)

// limitSelf sets the limits of this process, the hard ones too. Where memory is short the
// kernel ends it before others, if it has to end anything. Who stops the parent by a signal
// to its whole group leaves it to the parent.
func limitSelf() error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	if runtime.GOOS == "linux" {
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // without it, chance decides
	}
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

// endedByOthers reports whether a child was killed, and not for one of its limits.
func endedByOthers(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return false
	}
	switch status.Signal() {
	case unix.SIGKILL, unix.SIGINT, unix.SIGTERM, unix.SIGHUP:
		return true
	}
	return false
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

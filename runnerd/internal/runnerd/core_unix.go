//go:build unix

package runnerd

import "golang.org/x/sys/unix"

// leaveNoCore has this process, which may hold secrets of programs, leave no image of its
// memory where it ends badly; what it starts inherits that.
func leaveNoCore() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
}

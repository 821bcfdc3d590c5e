package scrub

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// idlePriority has the disk serve this goroutine only when nobody else asks, where its
// scheduler knows priorities, until the returned function is called.
func idlePriority() (end func()) {
	const (
		process = 1       // IOPRIO_WHO_PROCESS, of which 0 is the calling thread
		idle    = 3 << 13 // IOPRIO_CLASS_IDLE
	)
	runtime.LockOSThread()
	// Where it is not allowed the pace alone has to be gentle enough.
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, process, 0, idle)
	return func() {
		_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, process, 0, 0)
		runtime.UnlockOSThread()
	}
}

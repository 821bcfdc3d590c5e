//go:build unix

package keyagent

import (
	"os/exec"
	"syscall"
)

// maxInherited is more than the descriptors that shells leave open.
const maxInherited = 1024

// detach gives the process a session of its own: neither Ctrl-C nor the end of the
// terminal reaches it. What this one was given open (a terminal, the pipe of
// somebody who waits for its end, a lock) it does not get.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for fd := 3; fd < maxInherited; fd++ {
		syscall.CloseOnExec(fd) // of one that is not open: without effect
	}
}

// rootDir is a folder that nobody waits to unmount.
func rootDir() string { return "/" }

// noCore keeps the key out of core dumps.
func noCore() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }

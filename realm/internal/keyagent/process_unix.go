//go:build unix

package keyagent

import (
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own: neither Ctrl-C nor the end of the
// terminal reaches it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// rootDir is a folder that nobody waits to unmount.
func rootDir() string { return "/" }

// noCore keeps the key out of core dumps.
func noCore() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }

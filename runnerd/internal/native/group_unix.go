//go:build unix && !linux

package native

import (
	"os/exec"
	"syscall"
)

// Group makes a program the leader of a session and process group of its own.
func Group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// EndGroup asks all of a process group to end; KillGroup kills it.
func EndGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGTERM) } // it may have ended

// KillGroup kills a process group.
func KillGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) } // it may have ended

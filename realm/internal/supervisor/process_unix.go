//go:build unix

package supervisor

import (
	"os/exec"
	"syscall"
)

func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills what is left of the group that the ended process pid led.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // ESRCH: nothing is left

func (c *process) terminate() { _ = c.cmd.Process.Signal(syscall.SIGTERM) } // fails only if it has ended

//go:build unix

package native

import (
	"os/exec"
	"syscall"
)

// detach makes a process outlive this one, its terminal and whoever kills its group.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// shimEnv is the environment of a shim: none.
func shimEnv() []string { return []string{"GOTRACEBACK=single"} }

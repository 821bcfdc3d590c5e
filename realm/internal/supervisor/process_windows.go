package supervisor

import (
	"os/exec"
	"syscall"
)

// setGroup keeps Ctrl-C of the console away from the child.
func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// killGroup has nothing to do: Windows has no such groups.
func killGroup(int) {}

// terminate closes the life-line, upon which a daemon ends by itself: there is no
// signal to ask it.
func (c *process) terminate() { c.lifeline.Close() }

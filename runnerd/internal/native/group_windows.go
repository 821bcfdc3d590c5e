package native

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Group gives a program no console of runnerd's. Windows knows no groups that end together.
func Group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
}

// EndGroup kills a program: there is no signal that asks it to end.
func EndGroup(leader int) { KillGroup(leader) }

// KillGroup kills a program, and not what it has started.
func KillGroup(leader int) {
	if p, err := os.FindProcess(leader); err == nil {
		_ = p.Kill() // it may have ended
		_ = p.Release()
	}
}

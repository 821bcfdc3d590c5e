package keyagent

import (
	"os/exec"
	"syscall"
)

// detach gives the process neither a console nor the Ctrl-C of this one.
func detach(cmd *exec.Cmd) {
	const detachedProcess = 0x00000008 // DETACHED_PROCESS of CreateProcess
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}

// rootDir keeps the folder of the caller: Windows has no folder for all.
func rootDir() string { return "" }

// harden has nothing to do: Windows writes no core dumps by itself.
func harden() error { return nil }

//go:build unix

package supervisor

import (
	"errors"
	"os/exec"
	"syscall"
)

func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills what is left of the group that the ended process pid led. Where
// this process is the first of a container it inherits the dead and buries them.
func killGroup(pid int) {
	if syscall.Kill(-pid, syscall.SIGKILL) != nil {
		return // nothing is left
	}
	go func() {
		for err := error(nil); err == nil || errors.Is(err, syscall.EINTR); {
			_, err = syscall.Wait4(-pid, nil, 0, nil) // in the end: no such child
		}
	}()
}

func (c *process) terminate() { _ = c.cmd.Process.Signal(syscall.SIGTERM) } // fails only if it has ended

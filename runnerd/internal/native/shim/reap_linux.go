package shim

import (
	"errors"
	"syscall"
)

// reap buries what this process has adopted. All of it has been killed.
func reap() {
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return // there is none
		}
	}
}

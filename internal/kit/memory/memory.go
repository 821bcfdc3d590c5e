// Package memory asks how much memory the machine has.
package memory

import (
	"errors"
	"fmt"
)

// ErrUnknown says that the OS does not tell.
var ErrUnknown = errors.New("this system does not tell how much memory it has")

// Physical is the memory, in bytes, that the processes of this machine share: that of
// the container, where one with a limit is all that they see.
func Physical() (int64, error) {
	n, err := physical()
	switch {
	case err != nil:
		return 0, fmt.Errorf("look at memory: %w", err)
	case n <= 0:
		return 0, ErrUnknown
	}
	return n, nil
}

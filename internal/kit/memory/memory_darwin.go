package memory

import "golang.org/x/sys/unix"

func physical() (int64, error) {
	n, err := unix.SysctlUint64("hw.memsize")
	return int64(n), err
}

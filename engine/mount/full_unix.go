//go:build unix

package mount

import "syscall"

// full are what the system says where a disk is full, or a quota of its own.
var full = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT}

package mount

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// full are what the system says where a disk is full.
var full = []syscall.Errno{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}

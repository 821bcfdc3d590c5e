package memory

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limits are where the kernel shows a container its limit: control groups of version 2
// and of version 1 (kernel documentation: cgroup-v2, cgroup-v1/memory).
var limits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

func physical() (int64, error) {
	var i unix.Sysinfo_t
	if err := unix.Sysinfo(&i); err != nil {
		return 0, err
	}
	n := int64(i.Totalram) * int64(i.Unit)
	for _, path := range limits {
		n = min(n, limit(path, n))
	}
	return n, nil
}

// limit is the number that a file holds, or none where it holds no limit.
func limit(path string, none int64) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return none
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n <= 0 { // "max", and what is out of range
		return none
	}
	return n
}

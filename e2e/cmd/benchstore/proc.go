package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// load is how many processes wanted a processor in the last minute.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// forgetPeak makes [peak] begin anew.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// peak is the most memory that a process had resident, in bytes.
func peak(pid int) (int64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	return kb << 10, err
}

// written is how many bytes a process has written to files and stream sockets.
func written(pid int) (int64, error) {
	return field(fmt.Sprintf("/proc/%d/io", pid), "wchar:")
}

// field reads the number after name in a file of such lines.
func field(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s", file, name)
}

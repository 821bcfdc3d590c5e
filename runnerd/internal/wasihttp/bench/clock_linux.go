package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is what the system counts time in, whatever the machine.
const tick = time.Second / 100

// used is the time that the processors gave to the processes of a group.
func used(group int) (sum time.Duration, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // from state on
		if string(fields[2]) != strconv.Itoa(group) {
			continue
		}
		for _, n := range fields[11:13] {
			ticks, err := strconv.Atoi(string(n))
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * tick
		}
	}
	return sum, nil
}

// pinned has what start starts run on one processor.
func pinned(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("look at processors: %w", err)
	}
	for i := range len(all) * strconv.IntSize {
		if all.IsSet(i) {
			one.Set(i)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("keep to a processor: %w", err)
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &all))
}

// resident is how much memory this process has to itself.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, errors.New("the system does not tell how much memory is in use")
}

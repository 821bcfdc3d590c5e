package mount

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// datasync writes what a file holds to the disk.
func datasync(f *os.File) error {
	return again(func() error { return unix.Fdatasync(int(f.Fd())) })
}

// setTimes sets the times of an open file, whatever its name is by now; ok is false
// where the system cannot (Linux before 5.8).
func setTimes(f *os.File, atime, mtime time.Time) (ok bool, err error) {
	times := []unix.Timespec{timespec(atime), timespec(mtime)}
	err = again(func() error { return unix.UtimesNanoAt(int(f.Fd()), "", times, unix.AT_EMPTY_PATH) })
	return err != unix.EINVAL, err //nolint:errorlint // a system call's own
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.NsecToTimespec(t.UnixNano())
}

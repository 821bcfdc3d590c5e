//go:build unix

package casd

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// use is what a file is wanted for: how it has to be open.
type use int

const (
	forReading use = unix.O_RDONLY
	forWriting use = unix.O_WRONLY
)

// usable refuses a file that cannot be read or written to at offsets as it is open:
// pipes, devices and folders, and those that are written to at their end only.
func usable(f *os.File, want use) error {
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", errFile, err)
	}
	flags, err := flagsOf(f)
	mode := use(flags & unix.O_ACCMODE)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errFile, err)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file: %s", errFile, fi.Mode().Type())
	case mode != want && mode != unix.O_RDWR:
		return fmt.Errorf("%w: the caller has it open for something else", errFile)
	case want == forWriting && flags&unix.O_APPEND != 0:
		return fmt.Errorf("%w: it is open for appending", errFile)
	}
	return nil
}

// flagsOf returns those that f was opened with.
func flagsOf(f *os.File) (flags int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { flags, failed = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	return flags, errors.Join(err, failed)
}

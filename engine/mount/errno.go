package mount

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// pathErrno is the error of an operation on a path. What is no error of the
// system's is the refusal of [os.Root] to leave the folder, which has no name.
func pathErrno(err error) sys.Errno { return errno(err, sys.EPERM) }

// fileErrno is the error of an operation on an open file. The end of a file is none.
func fileErrno(err error) sys.Errno { return errno(err, sys.EIO) }

func errno(err error, other sys.Errno) sys.Errno {
	var number syscall.Errno
	var ours sys.Errno
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return 0
	case errors.As(err, &ours): // before those of the system, which it wraps
		return ours
	case errors.As(err, &number):
		if isFull(number) {
			return ENOSPC
		}
		if e, ok := special[number]; ok {
			return e
		}
		return sys.UnwrapOSError(number)
	case errors.Is(err, fs.ErrClosed):
		return sys.EBADF
	case errors.Is(err, fs.ErrInvalid):
		return sys.EINVAL
	}
	return other
}

// special are errors for which wazero has no number, and would say EIO.
var special = map[syscall.Errno]sys.Errno{
	syscall.EFBIG:      EFBIG,
	syscall.EMFILE:     sys.EAGAIN,
	syscall.ENFILE:     sys.EAGAIN,
	syscall.EXDEV:      sys.ENOTSUP,
	syscall.ENXIO:      sys.ENOTSUP,
	syscall.ENODEV:     sys.ENOTSUP,
	syscall.EOPNOTSUPP: sys.ENOTSUP,
	syscall.EBUSY:      sys.EACCES,
	syscall.ETXTBSY:    sys.EACCES,
}

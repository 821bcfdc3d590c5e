package mount

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// ENOSPC says that a disk is full, or that a [Quota] is. wazero has no number for that; of
// those that it has, this one means nothing about files, so whoever hands numbers on to a
// guest can tell it apart.
const ENOSPC = sys.ENOTSOCK

// errFull is [ENOSPC] where errors are the system's.
var errFull = errors.New("the quota of the folder is used up")

// pathErrno is the error of an operation on a path. What is no error of the
// system's is the refusal of [os.Root] to leave the folder, which has no name.
func pathErrno(err error) sys.Errno { return errno(err, sys.EPERM) }

// fileErrno is the error of an operation on an open file. The end of a file is none.
func fileErrno(err error) sys.Errno { return errno(err, sys.EIO) }

func errno(err error, other sys.Errno) sys.Errno {
	var number syscall.Errno
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return 0
	case errors.Is(err, errFull):
		return ENOSPC
	case errors.As(err, &number):
		if slices.Contains(full, number) {
			return ENOSPC
		}
		if e, ok := special[number]; ok {
			return e
		}
		if e := sys.UnwrapOSError(number); e != ENOSPC {
			return e
		}
		return sys.EIO // it is about sockets
	case errors.Is(err, fs.ErrClosed):
		return sys.EBADF
	case errors.Is(err, fs.ErrInvalid):
		return sys.EINVAL
	}
	return other
}

// special are errors for which wazero has no number, and would say EIO.
var special = map[syscall.Errno]sys.Errno{
	syscall.EMFILE:     sys.EAGAIN,
	syscall.ENFILE:     sys.EAGAIN,
	syscall.EXDEV:      sys.ENOTSUP,
	syscall.ENXIO:      sys.ENOTSUP,
	syscall.ENODEV:     sys.ENOTSUP,
	syscall.EOPNOTSUPP: sys.ENOTSUP,
	syscall.EBUSY:      sys.EACCES,
	syscall.ETXTBSY:    sys.EACCES,
}

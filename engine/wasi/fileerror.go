package wasi

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// fileCode is a case of the error-code of wasi:filesystem.
type fileCode uint32

const (
	codeAccess        fileCode = 0
	codeWouldBlock    fileCode = 1
	codeBadDescriptor fileCode = 3
	codeExist         fileCode = 7
	codeTooLarge      fileCode = 8
	codeIllegalBytes  fileCode = 9
	codeInterrupted   fileCode = 11
	codeInvalid       fileCode = 12
	codeIO            fileCode = 13
	codeIsDirectory   fileCode = 14
	codeLoop          fileCode = 15
	codeNameTooLong   fileCode = 18
	codeNoEntry       fileCode = 20
	codeNoSpace       fileCode = 23
	codeNotDirectory  fileCode = 24
	codeNotEmpty      fileCode = 25
	codeUnsupported   fileCode = 27
	codeOverflow      fileCode = 30
	codeNotPermitted  fileCode = 31
	codeReadOnly      fileCode = 33
	codeCrossDevice   fileCode = 36
)

var codeOfErrno = map[sys.Errno]fileCode{
	sys.EACCES: codeAccess, sys.EAGAIN: codeWouldBlock, sys.EBADF: codeBadDescriptor,
	sys.EEXIST: codeExist, sys.EINTR: codeInterrupted, sys.EINVAL: codeInvalid, sys.EIO: codeIO,
	sys.EISDIR: codeIsDirectory, sys.ELOOP: codeLoop, sys.ENAMETOOLONG: codeNameTooLong,
	sys.ENOENT: codeNoEntry, sys.ENOSYS: codeUnsupported, sys.ENOTDIR: codeNotDirectory,
	sys.ERANGE: codeOverflow, sys.ENOTEMPTY: codeNotEmpty, sys.ENOTSUP: codeUnsupported,
	sys.EPERM: codeNotPermitted, sys.EROFS: codeReadOnly,
	mount.ENOSPC: codeNoSpace, mount.EFBIG: codeTooLarge,
}

// fileError is why something about a file has failed.
type fileError fileCode

// Error implements error.
func (e fileError) Error() string { return fmt.Sprintf("file system error %d", uint32(e)) }

// fileErrorOf is the error of an error number; nil: there is none.
func fileErrorOf(errno sys.Errno) error {
	if errno == 0 {
		return nil
	}
	if code, ok := codeOfErrno[errno]; ok {
		return fileError(code)
	}
	return fileError(codeIO)
}

// filed is the result of a function about files.
func filed(v any, err error) (any, error) {
	var failure fileError
	switch {
	case err == nil:
		return wit.Ok(v), nil
	case errors.As(err, &failure):
		return wit.Error(uint32(failure)), nil
	}
	return nil, err
}

func fileErrorCode(c *call) (any, error) {
	e := borrowed[*ioError](c, 0)
	if c.err != nil {
		return nil, c.err
	}
	var failure fileError
	if errors.As(e.err, &failure) {
		return wit.Some(uint32(failure)), nil
	}
	return wit.None(), nil
}

//go:build unix

package mount

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero/experimental/sys"
	"golang.org/x/sys/unix"
)

// neverBlock keeps what is opened from waiting for somebody at the other end.
const neverBlock = unix.O_NONBLOCK

// parent opens the folder that holds name, a clean path, and returns the last
// component: system calls on both follow no link.
func (g *View) parent(name string) (*os.File, string, error) {
	dir, err := g.root.OpenFile(filepath.Dir(name), os.O_RDONLY|unix.O_DIRECTORY, 0)
	return dir, filepath.Base(name), err
}

// rename differs from [os.Root.Rename], which never replaces a folder.
func (g *View) rename(from, to string) sys.Errno {
	source, old, err := g.parent(from)
	if err != nil {
		return pathErrno(err)
	}
	defer source.Close()
	dest, name, err := g.parent(to)
	if err != nil {
		return pathErrno(err)
	}
	defer dest.Close()
	err = again(func() error { return unix.Renameat(int(source.Fd()), old, int(dest.Fd()), name) })
	if errors.Is(err, unix.EEXIST) { // as some file systems say
		return sys.ENOTEMPTY
	}
	return pathErrno(err)
}

func (g *View) rmdir(name string) sys.Errno {
	err := g.unlinkat(name, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.EEXIST) { // as some file systems say
		return sys.ENOTEMPTY
	}
	return pathErrno(err)
}

func (g *View) unlink(name string) sys.Errno {
	err := g.unlinkat(name, 0)
	if errors.Is(err, unix.EPERM) { // POSIX's word for a folder; Linux says EISDIR
		if info, e := g.root.Lstat(name); e == nil && info.IsDir() {
			return sys.EISDIR
		}
	}
	return pathErrno(err)
}

func (g *View) unlinkat(name string, flags int) error {
	dir, base, err := g.parent(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return again(func() error { return unix.Unlinkat(int(dir.Fd()), base, flags) })
}

// setAppend has each write go to the end of the file, wherever that is by then.
func setAppend(f *os.File, on bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	flags &^= unix.O_APPEND
	if on {
		flags |= unix.O_APPEND
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return err
}

// toEnd has nothing to do: the system appends.
func toEnd(*os.File) error { return nil }

// isFull reports whether e is that a disk, or what one user may have of it, is full.
func isFull(e unix.Errno) bool { return e == unix.ENOSPC || e == unix.EDQUOT }

// again repeats a system call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

//go:build !unix

package mount

import (
	"io"
	"os"
	"syscall"

	"github.com/tetratelabs/wazero/experimental/sys"
)

const neverBlock = 0

// rename replaces no folder: Windows does not either.
func (g *View) rename(from, to string) sys.Errno {
	if from == to {
		_, err := g.root.Lstat(from)
		return pathErrno(err)
	}
	if dest, err := g.root.Lstat(to); err == nil {
		source, err := g.root.Lstat(from)
		switch {
		case err != nil:
			return pathErrno(err)
		case source.IsDir() && !dest.IsDir():
			return sys.ENOTDIR
		case !source.IsDir() && dest.IsDir():
			return sys.EISDIR
		}
	}
	return pathErrno(g.root.Rename(from, to))
}

func (g *View) rmdir(name string) sys.Errno {
	info, err := g.root.Lstat(name)
	switch {
	case err != nil:
		return pathErrno(err)
	case !info.IsDir():
		return sys.ENOTDIR
	}
	return pathErrno(g.root.Remove(name))
}

func (g *View) unlink(name string) sys.Errno {
	info, err := g.root.Lstat(name)
	switch {
	case err != nil:
		return pathErrno(err)
	case info.IsDir():
		return sys.EISDIR
	}
	return pathErrno(g.root.Remove(name))
}

// setAppend leaves it to [toEnd]: what a file is opened for cannot be changed.
func setAppend(*os.File, bool) error { return nil }

// toEnd goes to the end of a file that is appended to. Two programs that append at
// the same instant may overwrite each other.
func toEnd(f *os.File) error {
	_, err := f.Seek(0, io.SeekEnd)
	return err
}

// isFull reports whether e is that a disk is full: ERROR_HANDLE_DISK_FULL or ERROR_DISK_FULL.
func isFull(e syscall.Errno) bool { return e == 39 || e == 112 }

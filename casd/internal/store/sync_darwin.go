package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncAll says that files have to be synced one by one here.
func syncAll(string) error { return errors.ErrUnsupported }

// syncFile makes the content of a file durable, and all that was flushed before: it
// has the disk empty its cache.
func syncFile(path string) error { return opened(path, (*os.File).Sync) }

// flushFile hands the content of a file to the disk, which may keep it in its cache for
// a while. Emptying that for each chunk would take ten times as long.
func flushFile(path string) error {
	return opened(path, func(f *os.File) error { return unix.Fsync(int(f.Fd())) })
}

// flushFolder is flushFile for the entries of a folder.
func flushFolder(path string) error { return flushFile(path) }

func opened(path string, fn func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(fn(f), f.Close())
}

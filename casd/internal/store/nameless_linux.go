package store

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// createNameless makes a file in a folder that has no name there yet. Nothing stays of
// it when the process ends before it has.
func createNameless(folder string) (chunkFile, error) {
	return openFile(folder, unix.O_TMPFILE|unix.O_WRONLY)
}

// link gives a nameless file a name in its folder, which nobody has there.
func (f chunkFile) link(path string) error {
	from := "/proc/self/fd/" + strconv.Itoa(f.fd)
	if err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: from, New: path, Err: err}
	}
	return nil
}

// startWriting has the kernel begin to write a large file to disk, so that less is
// left to do when it is synced. It seldom waits.
func (f chunkFile) startWriting() {
	_ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) // a file system without it writes later
}

//go:build unix

package store

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// chunkFile is an open file that the runtime's poller knows nothing of. To find out
// that it cannot watch a file takes it six calls of the system, twice as many as to
// read a small chunk.
type chunkFile struct {
	fd   int
	path string
}

func openChunk(path string) (chunkFile, error) { return openFile(path, unix.O_RDONLY) }

// createFile makes a file that is not there yet.
func createFile(path string) (chunkFile, error) {
	return openFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func openFile(path string, flags int) (f chunkFile, err error) {
	fd, err := uninterrupted(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0o600) })
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return chunkFile{fd, path}, nil
}

// Read implements [io.Reader].
func (f chunkFile) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := uninterrupted(func() (int, error) { return unix.Read(f.fd, b) })
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "read", Path: f.path, Err: err}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements [io.Writer].
func (f chunkFile) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := uninterrupted(func() (int, error) { return unix.Write(f.fd, b[n:]) })
		if err != nil {
			return n, &fs.PathError{Op: "write", Path: f.path, Err: err}
		}
		n += m
	}
	return n, nil
}

func (f chunkFile) Close() error {
	if err := unix.Close(f.fd); err != nil {
		return &fs.PathError{Op: "close", Path: f.path, Err: err}
	}
	return nil
}

// uninterrupted calls fn until no signal comes between, as the runtime's own do.
func uninterrupted(fn func() (int, error)) (n int, err error) {
	for {
		if n, err = fn(); err != unix.EINTR { //nolint:errorlint // it comes as it is
			return n, err
		}
	}
}

// Package rotate writes logs that do not grow for ever: when NAME.log is full it
// becomes NAME.log.1, that one NAME.log.2, and so on; the oldest is removed.
package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Sizes of a log.
const (
	MaxFile   = 8 << 20   // bytes of the current file
	Older     = 3         // files beside it
	lookEvery = 256 << 10 // bytes written between two looks at the room on the disk
)

// File is a rotated log. It is safe for use by several goroutines.
type File struct {
	path    string
	reserve int64

	mu     sync.Mutex
	f      *os.File // nil: to be opened with the next write
	size   int64
	unseen int64 // bytes written since the last look at the disk
}

// New returns the log at path; it, and its folder, are made with the first write.
// A write that would leave less than reserve bytes free on the disk is refused
// with [disk.ErrFull].
func New(path string, reserve int64) *File { return &File{path: path, reserve: reserve} }

// Write implements [io.Writer]. What is written at once stays in one file and is
// there whole or not at all.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.write(p); err != nil {
		f.close() // the next write tries with the file opened anew
		return 0, fmt.Errorf("write log: %w", err)
	}
	return len(p), nil
}

func (f *File) write(p []byte) error {
	if f.f != nil && f.size+int64(len(p)) > MaxFile {
		f.close()
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.unseen += int64(len(p)); f.unseen >= lookEvery {
		if err := disk.Room(filepath.Dir(f.path), lookEvery, f.reserve); err != nil {
			return err
		}
		f.unseen = 0
	}
	n, err := f.f.Write(p)
	if err != nil && n > 0 {
		// Half a line would run into the next one.
		err = errors.Join(err, f.f.Truncate(f.size))
	}
	if err == nil {
		f.size += int64(n)
	}
	return err
}

func (f *File) open() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := disk.Room(dir, lookEvery, f.reserve); err != nil {
		return err
	}
	h, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := h.Stat()
	if err != nil {
		h.Close()
		return err
	}
	f.f, f.size, f.unseen = h, info.Size(), 0
	return nil
}

// rotate makes room for a new current file.
func (f *File) rotate() error {
	for n := Older; n > 0; n-- {
		from := f.path
		if n > 1 {
			from = f.path + "." + strconv.Itoa(n-1)
		}
		if err := os.Rename(from, f.path+"."+strconv.Itoa(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the file. A write that still comes opens it again.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.close()
	return nil
}

func (f *File) close() {
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
}

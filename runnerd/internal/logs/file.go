package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

const (
	maxFile   = 8 << 20   // bytes of the current file
	keepOlder = 3         // files beside it
	lookEvery = 256 << 10 // bytes written between two looks at the room on the disk
)

// timeFormat is RFC 3339 with a fixed width, so that lines sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// file is a rotated log file.
type file struct {
	path   string
	f      *os.File // nil: to be opened with the next line
	size   int64
	unseen int64 // bytes written since the last look at the disk
	lost   int   // lines not written
	buf    []byte
}

func (f *file) write(l api.LogLine) error {
	f.buf = f.buf[:0]
	if f.lost > 0 {
		f.buf = appendLine(f.buf, api.LogLine{Time: l.Time, Stream: l.Stream, Line: "(" + strconv.Itoa(f.lost) + " lines are missing here: the disk was full, or failed)"})
	}
	f.buf = appendLine(f.buf, l)
	if err := f.put(f.buf); err != nil {
		f.lost++
		f.close() // what went wrong with this one may not with another
		return err
	}
	f.lost = 0
	return nil
}

func appendLine(b []byte, l api.LogLine) []byte {
	b = l.Time.AppendFormat(b, timeFormat)
	b = append(append(b, ' '), l.Stream...)
	b = append(append(b, ' '), l.Line...)
	return append(b, '\n')
}

func (f *file) put(b []byte) error {
	if f.f != nil && f.size+int64(len(b)) > maxFile {
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
	if f.unseen >= lookEvery {
		if err := disk.Room(filepath.Dir(f.path), lookEvery, disk.ReserveBulk); err != nil {
			return err
		}
		f.unseen = 0
	}
	n, err := f.f.Write(b)
	f.size += int64(n)
	f.unseen += int64(n)
	if err != nil && n > 0 {
		// Half a line would run into the next one.
		err = errors.Join(err, f.f.Truncate(f.size-int64(n)))
	}
	return err
}

func (f *file) open() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if err := disk.Room(dir, lookEvery, disk.ReserveBulk); err != nil {
		return err
	}
	h, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := h.Stat()
	if err != nil {
		h.Close()
		return fmt.Errorf("open log: %w", err)
	}
	f.f, f.size, f.unseen = h, info.Size(), 0
	return nil
}

func (f *file) older(n int) string { return f.path + "." + strconv.Itoa(n) }

// rotate makes room for a new current file.
func (f *file) rotate() error {
	for n := keepOlder; n > 0; n-- {
		from := f.path
		if n > 1 {
			from = f.older(n - 1)
		}
		if err := os.Rename(from, f.older(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	return nil
}

func (f *file) close() {
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
}

func (f *file) remove() error {
	f.close()
	var errs []error
	for n := range keepOlder + 1 {
		path := f.path
		if n > 0 {
			path = f.older(n)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

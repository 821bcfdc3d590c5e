package logs

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/rotate"
)

// file is the rotated file of a log. Lines that it cannot take are counted, and the
// next one that it takes tells how many.
type file struct {
	path string
	to   *rotate.File
	lost int
	buf  []byte
}

func newFile(path string) file { return file{path: path, to: rotate.New(path, disk.ReserveBulk)} }

func (f *file) write(l api.LogLine) error {
	f.buf = f.buf[:0]
	if f.lost > 0 {
		f.buf = logfile.Append(f.buf, api.LogLine{Time: l.Time, Stream: l.Stream, Line: "(" + strconv.Itoa(f.lost) + " lines are missing here: the disk was full, or failed)"})
	}
	f.buf = logfile.Append(f.buf, l)
	if _, err := f.to.Write(f.buf); err != nil {
		f.lost++
		return err
	}
	f.lost = 0
	return nil
}

func (f *file) close() { _ = f.to.Close() } // each line was written in full before

func (f *file) remove() error {
	f.close()
	var errs []error
	for n := range rotate.Older + 1 {
		path := f.path
		if n > 0 {
			path += "." + strconv.Itoa(n)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

package execute

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/logfile"
	"github.com/realm-mesh/realm/internal/kit/rotate"
)

// versions are the files of a log, the oldest first.
func versions(path string) []string {
	out := make([]string, 0, rotate.Older+1)
	for n := rotate.Older; n > 0; n-- {
		out = append(out, path+"."+strconv.Itoa(n))
	}
	return append(out, path)
}

// last keeps the last lines.
type last struct {
	most int
	held []api.LogLine
}

func newLast(n int) *last { return &last{most: max(n, 0)} }

func (l *last) add(line api.LogLine) {
	if l.held = append(l.held, line); len(l.held) >= 2*l.most+64 {
		l.held = append(l.held[:0], l.list()...)
	}
}

func (l *last) list() []api.LogLine { return l.held[max(0, len(l.held)-l.most):] }

// reader reads a log that grows and is rotated, each line once.
type reader struct {
	path string
	f    *os.File // the newest that was read; nil: none yet
	buf  *bufio.Reader
	part string // of a line whose end is not there yet
}

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
	}
}

// each calls fn for the lines that are there and were not read.
func (r *reader) each(fn func(api.LogLine) error) error {
	if r.f != nil {
		if err := r.drain(fn); err != nil {
			return err
		}
	}
	for {
		next, err := r.next()
		if err != nil || next == nil {
			return err
		}
		if r.f != nil { // what was written to it before it was rotated
			if err := r.drain(fn); err != nil {
				next.Close()
				return err
			}
		}
		r.close()
		r.f, r.buf, r.part = next, bufio.NewReaderSize(next, 64<<10), ""
		if err := r.drain(fn); err != nil {
			return err
		}
	}
}

// drain reads on in the current file, to its end.
func (r *reader) drain(fn func(api.LogLine) error) error {
	for {
		s, err := r.buf.ReadString('\n')
		r.part += s
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line := strings.TrimSuffix(r.part, "\n")
		r.part = ""
		if l, ok := logfile.Parse(line); ok {
			if err := fn(l); err != nil {
				return err
			}
		}
	}
}

// maxLooks is how often files are looked for that are being rotated.
const maxLooks = 100

// next opens the file after the current one; nil: that is the newest. Files may change
// their places meanwhile: it counts when the current one has not.
func (r *reader) next() (*os.File, error) {
	paths := versions(r.path)
	for look := 1; ; look++ {
		from, err := r.place(paths)
		if err != nil {
			return nil, err
		}
		if r.f != nil && from < 0 && look < maxLooks/10 {
			continue // it may just be renamed; else it was removed, and so were some after it
		}
		f, err := first(paths[from+1:])
		if err != nil || r.f == nil {
			return f, err
		}
		if again, err := r.place(paths); err != nil || again == from || look == maxLooks {
			return f, err
		}
		if f != nil {
			f.Close()
		}
	}
}

// place is where the current file is among paths; -1: nowhere.
func (r *reader) place(paths []string) (int, error) {
	if r.f == nil {
		return -1, nil
	}
	mine, err := r.f.Stat()
	if err != nil {
		return -1, err
	}
	at := -1
	for i, p := range paths {
		if info, err := os.Stat(p); err == nil && os.SameFile(info, mine) {
			at = i
		}
	}
	return at, nil
}

// first opens the first of the files that is there; nil: none is.
func first(paths []string) (*os.File, error) {
	for _, p := range paths {
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	return nil, nil
}

package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/internal/kit/rotate"
)

const blockSize = 64 << 10 // bytes read at once

// Tail returns the last n lines of the log at path, oldest first; fewer where there are
// not so many, or more than limit bytes would have to be read. A line that is not
// complete yet counts, one whose beginning was not read does not. Where there is no log
// it is [fs.ErrNotExist].
func Tail(path string, n int, limit int64) ([]string, error) {
	r := reader{left: limit}
	var lines []string
	for age := 0; age <= rotate.Older && (len(lines) < n || r.last == nil) && r.left > 0; age++ {
		file := path
		if age > 0 {
			file = fmt.Sprintf("%s.%d", path, age)
		}
		older, err := r.tail(file, n-len(lines))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it may be between two names: then it is the next one
		}
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		lines = append(older, lines...)
	}
	if r.last == nil {
		return nil, fmt.Errorf("read log: %w", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist})
	}
	return lines, nil
}

// reader reads files of one log, the newest first.
type reader struct {
	left int64       // bytes that may be read still
	last fs.FileInfo // of the file that was read last; nil: there was none
}

// tail returns the last n lines of a file. One that was read before, and was rotated
// since, has none.
func (r *reader) tail(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if r.last != nil && os.SameFile(r.last, info) {
		return nil, nil
	}
	r.last = info
	text, whole, err := r.end(f, n)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if !whole {
		lines = lines[1:] // its beginning was not read
	}
	return slices.Clone(lines[max(0, len(lines)-n):]), nil
}

// end is the end of f, with more than n line feeds in it if there are so many and as many
// bytes may be read; whole tells that it is all of f.
func (r *reader) end(f *os.File, n int) (text []byte, whole bool, err error) {
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, false, err
	}
	var blocks [][]byte // last first
	for feeds := 0; at > 0 && r.left > 0 && feeds <= n; {
		block := make([]byte, min(at, blockSize, r.left))
		at -= int64(len(block))
		read, err := f.ReadAt(block, at)
		if err != nil && !errors.Is(err, io.EOF) { // it may have been shortened meanwhile
			return nil, false, err
		}
		r.left -= int64(len(block))
		feeds += bytes.Count(block[:read], []byte{'\n'})
		blocks = append(blocks, block[:read])
	}
	slices.Reverse(blocks)
	return bytes.Join(blocks, nil), at == 0, nil
}

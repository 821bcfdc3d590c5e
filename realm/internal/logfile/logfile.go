// Package logfile reads the last lines of the logs in a home: the current file,
// and the older ones beside it (NAME.log.1, NAME.log.2 …) where that one has not
// enough. Files may grow, and be rotated, while they are read.
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
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	blockSize = 64 << 10 // bytes read at once
	maxRead   = 32 << 20 // bytes read at all
	maxOlder  = 16       // files
)

// Tail returns the last n lines of the log at path, oldest first; fewer where
// there are not so many, or more than 32 MiB would have to be read. Where there
// is no log it is [fs.ErrNotExist].
func Tail(path string, n int) ([]string, error) {
	var lines []string
	budget := int64(maxRead)
	for age := 0; age <= maxOlder; age++ {
		file := path
		if age > 0 {
			file = fmt.Sprintf("%s.%d", path, age)
		}
		older, err := tailFile(file, n-len(lines), &budget)
		if age > 0 && errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		lines = append(older, lines...)
		if len(lines) >= n || budget <= 0 {
			break
		}
	}
	return lines, nil
}

// tailFile reads one file from its end, for as long as budget lasts.
func tailFile(path string, n int, budget *int64) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var blocks [][]byte // last first
	for feeds := 0; at > 0 && *budget > 0 && feeds <= n; {
		size := min(at, blockSize, *budget)
		block := make([]byte, size)
		if _, err := f.ReadAt(block, at-size); err != nil {
			return nil, err
		}
		at -= size
		*budget -= size
		feeds += bytes.Count(block, []byte{'\n'})
		blocks = append(blocks, block)
	}
	slices.Reverse(blocks)
	tail := bytes.Join(blocks, nil)
	lines := strings.Split(strings.TrimSuffix(string(tail), "\n"), "\n")
	if len(tail) == 0 {
		lines = nil
	}
	if at > 0 && len(lines) > 0 {
		lines = lines[1:] // its beginning was not read
	}
	return slices.Clone(lines[max(0, len(lines)-n):]), nil
}

// Parse reads a line of a workload's log: "TIME STREAM TEXT", with a time by RFC
// 3339. Any other, such as one that a crash has cut, is all text.
func Parse(s string) api.LogLine {
	stamp, rest, _ := strings.Cut(s, " ")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	stream, text, _ := strings.Cut(rest, " ")
	if err != nil || stream != "stdout" && stream != "stderr" {
		return api.LogLine{Line: s}
	}
	return api.LogLine{Time: t, Stream: stream, Line: text}
}

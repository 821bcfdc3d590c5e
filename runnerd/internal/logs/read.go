package logs

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

// maxRead is how much of a log Last returns at most, in bytes of its files.
const maxRead = 512 << 10

// Last returns the last lines, at most n, of the log in the file at path, the oldest
// first; what does not fit in 512 KiB is left out. A log that was never written to
// has none.
func Last(path string, n int) ([]api.LogLine, error) {
	var text []byte
	for _, p := range []string{path, path + ".1"} {
		part, err := end(p, maxRead-int64(len(text)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it may be between two names: then it is the next one
		}
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		if text = append(part, text...); len(text) == maxRead || bytes.Count(text, []byte{'\n'}) > n {
			break
		}
	}
	return lastLines(text, n), nil
}

// end is the end of the file at path, at most limit bytes.
func end(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(max(0, size-limit), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// lastLines reads the last n lines of text, whose first one may be cut.
func lastLines(text []byte, n int) []api.LogLine {
	out := make([]api.LogLine, 0, n)
	for len(text) > 0 && len(out) < n {
		text = bytes.TrimSuffix(text, []byte{'\n'})
		at := bytes.LastIndexByte(text, '\n')
		if l, ok := parseLine(string(text[at+1:])); ok {
			out = append(out, l)
		}
		text = text[:at+1]
	}
	slices.Reverse(out)
	return out
}

// parseLine is the inverse of appendLine, without the line feed.
func parseLine(s string) (l api.LogLine, ok bool) {
	stamp, rest, ok := strings.Cut(s, " ")
	stream, line, whole := strings.Cut(rest, " ")
	t, err := time.Parse(timeFormat, stamp)
	if !ok || !whole || err != nil || stream != Stdout && stream != Stderr {
		return l, false
	}
	return api.LogLine{Time: t, Stream: stream, Line: line}, true
}

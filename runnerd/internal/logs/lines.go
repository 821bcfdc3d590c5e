package logs

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/realm-mesh/realm/api"
)

// Writer cuts one stream of one instance into lines. It never returns an error.
// It is safe for use by several goroutines.
type Writer struct {
	log    *Log
	stream string
	own    *Tail // of the instance; nil: it has none

	mu      sync.Mutex
	partial []byte // of the current line
	cut     bool   // the current line was too long: its rest is skipped
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if !w.cut {
			w.partial = append(w.partial, line[:min(len(line), api.MaxLogLine-len(w.partial))]...)
			w.cut = len(w.partial) == api.MaxLogLine
		}
		if whole {
			w.end()
		}
	}
	return len(p), nil
}

// Flush ends a line that is not complete.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.end()
	}
}

// end hands the current line on.
func (w *Writer) end() {
	line := api.LogLine{Time: time.Now().UTC(), Stream: w.stream, Line: clean(w.partial)}
	if w.own != nil {
		w.own.add(line.Line)
	}
	w.log.add(line)
	w.partial, w.cut = w.partial[:0], false
}

// clean makes text of what a program wrote.
func clean(b []byte) string {
	s := strings.ToValidUTF8(string(bytes.TrimSuffix(b, []byte{'\r'})), string(utf8.RuneError))
	return clip(s, api.MaxLogLine)
}

// clip cuts s at n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

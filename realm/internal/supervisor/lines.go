package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// readLines calls fn for every line of r until its end; what is over
// [api.MaxLogLine] bytes of a line is dropped.
func readLines(r io.Reader, fn func(line string)) {
	br := bufio.NewReaderSize(r, api.MaxLogLine+1)
	for {
		line, err := br.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		if tooLong {
			line = line[:api.MaxLogLine]
		}
		if len(line) > 0 {
			fn(string(bytes.TrimRight(line, "\r\n")))
		}
		for tooLong {
			_, err = br.ReadSlice('\n')
			tooLong = errors.Is(err, bufio.ErrBufferFull)
		}
		if err != nil {
			return
		}
	}
}

// lastWords keeps the line that tells best why a process ended: the last one, but
// for a crash its head and not the end of its trace.
type lastWords struct {
	mu    sync.Mutex
	line  string
	crash bool
}

func (w *lastWords) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crash || strings.TrimSpace(line) == "" {
		return
	}
	w.line = line
	w.crash = strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// reAttr matches an attribute in a line of log/slog, its value quoted or not.
var reAttr = regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|\S*)`)

// reason is the line for people: of a log line its error.
func (w *lastWords) reason() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, attr := range reAttr.FindAllStringSubmatch(w.line, -1) {
		if attr[1] != telemetry.KeyError {
			continue
		}
		if text, err := strconv.Unquote(attr[2]); err == nil {
			return clip(text)
		}
		return clip(attr[2])
	}
	return clip(w.line)
}

// clip keeps a reason short enough for a status that travels on the bus.
func clip(s string) string {
	if len(s) <= api.MaxReason {
		return s
	}
	return strings.ToValidUTF8(s[:api.MaxReason-len("…")], "") + "…"
}

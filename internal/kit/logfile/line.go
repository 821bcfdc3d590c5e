// Package logfile reads the logs of a home as package rotate has written them: the
// current file, and the older ones beside it (NAME.log.1, NAME.log.2 …). They may grow,
// and be rotated, while they are read.
//
// A line of a workload's log is "TIME STREAM TEXT": the time by RFC 3339 in UTC with nine
// digits of a second, the stream stdout or stderr, and the text. Lines of a daemon's log
// are the daemon's own.
package logfile

import (
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Streams of a program.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// timeFormat is RFC 3339 with a fixed width, so that lines sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// Append appends l as a line of a workload's log to b, with its line feed.
func Append(b []byte, l api.LogLine) []byte {
	b = l.Time.AppendFormat(b, timeFormat)
	b = append(append(b, ' '), l.Stream...)
	b = append(append(b, ' '), l.Line...)
	return append(b, '\n')
}

// Parse reads a line of a workload's log, without its line feed. One that is none, such
// as one that a crash has cut, is all text, and false.
func Parse(s string) (api.LogLine, bool) {
	stamp, rest, _ := strings.Cut(s, " ")
	stream, text, whole := strings.Cut(rest, " ")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || !whole || stream != Stdout && stream != Stderr {
		return api.LogLine{Line: s}, false
	}
	return api.LogLine{Time: t, Stream: stream, Line: text}, true
}

package manage

import (
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// maxLine is the longest line that is shown, in bytes: the longest that logs keep
// and what stands before it.
const maxLine = api.MaxLogLine + 64

// entry is one line of a program's log.
type entry struct {
	ref  api.Ref
	raw  string      // as it is in the file
	line api.LogLine // what raw says; where it is of other make, all of it is the text
	made bool        // raw is as runnerd writes it
}

// entryOf reads a line of the log of ref.
func entryOf(ref api.Ref, raw string) entry {
	l, ok := parseLine(raw)
	if !ok {
		l.Line = raw
	}
	return entry{ref, raw, l, ok}
}

// shown is the line for people; named puts the program's name behind the time.
func (e entry) shown(named bool) string {
	if !named {
		return e.raw
	}
	if stamp, rest, _ := strings.Cut(e.raw, " "); e.made {
		return stamp + " " + e.ref.String() + " " + rest
	}
	return e.ref.String() + " " + e.raw
}

// parseLine reads "TIME STREAM TEXT", as runnerd writes it, with a time by RFC 3339.
// A line of other make, such as one that a crash has cut, is none.
func parseLine(s string) (l api.LogLine, ok bool) {
	stamp, rest, _ := strings.Cut(s, " ")
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return api.LogLine{}, false
	}
	stream, text, _ := strings.Cut(rest, " ")
	if stream != "stdout" && stream != "stderr" {
		return api.LogLine{}, false
	}
	return api.LogLine{Time: t, Stream: stream, Line: text}, true
}

package manage

import (
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// maxLine is the longest line that is shown, in bytes: the longest that logs keep
// and what stands before it.
const maxLine = api.MaxLogLine + 64

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

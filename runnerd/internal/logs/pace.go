package logs

import (
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
)

// What a listener is sent of one workload within [paceWindow].
const (
	paceWindow = time.Second
	paceLines  = 500
	paceBytes  = 512 << 10
)

// pace decides which lines listeners get.
type pace struct {
	begun   time.Time // of the current window, by the lines' own times
	lines   int
	bytes   int
	dropped int
}

// admit returns what is to be sent now that line has come: nothing, the line, or
// before it how many lines were left out.
func (p *pace) admit(line api.LogLine) []api.LogLine {
	if age := line.Time.Sub(p.begun); age >= paceWindow || age < 0 {
		*p = pace{begun: line.Time, dropped: p.dropped}
	}
	p.lines++
	p.bytes += len(line.Line)
	if p.lines > paceLines || p.bytes > paceBytes {
		p.dropped++
		return nil
	}
	out := []api.LogLine{line}
	if p.dropped > 0 {
		note := api.LogLine{Time: line.Time, Stream: line.Stream, Line: fmt.Sprintf("(%d lines came too fast and are left out here; the log file has them)", p.dropped)}
		out = []api.LogLine{note, line}
		p.dropped = 0
	}
	return out
}

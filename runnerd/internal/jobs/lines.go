package jobs

import (
	"context"
	"io"
	"regexp"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Lines says which lines of an output are asked for.
type Lines struct {
	Tail   int            // the last so many; -1: all
	Since  time.Time      // only what is newer; zero: any
	Match  *regexp.Regexp // only what matches; nil: any
	Follow bool           // goes on until the execution is over
}

// Wants reports whether l passes the filters of q.
func (q *Lines) Wants(l *api.LogLine) bool {
	return (q.Since.IsZero() || l.Time.After(q.Since)) && (q.Match == nil || q.Match.MatchString(l.Line))
}

// Output is what this node has of what executions have written: its own, and what it
// keeps of others'.
type Output interface {
	// Lines calls emit for each line that q asks for, in order, until it fails; false: this
	// node has nothing of the execution.
	Lines(ctx context.Context, x api.Exec, q Lines, emit func(api.LogLine) error) (bool, error)
	// Keep stores lines of another member's execution.
	Keep(t *api.JobTail) error
	// Drop removes what is kept of another member's execution.
	Drop(api.Exec)
}

// Blobs reads the store, and what members have in theirs.
type Blobs interface {
	Open(context.Context, api.BlobInfo) (io.ReadCloser, error)
}

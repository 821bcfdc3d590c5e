package manage

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/sse"
)

// lineEvent is the data of an event "line".
type lineEvent struct {
	api.Ref
	Time   *time.Time `json:"time,omitempty"` // nil, as Stream is "", where a crash has cut the line
	Stream string     `json:"stream,omitempty"`
	Line   string     `json:"line"`
}

// follower joins what is in the files with what comes over the bus.
//
// It listens first and reads then. runnerd writes a line to its file before it tells it,
// so that what is told too early to be heard is in the file: there is no gap. What is
// both in the file and heard is the same line, to the nanosecond: it is left out the
// second time. A line that is told while the files are read counts as new, however few
// old ones are asked for, so that all come in their order. A file may end with a part of a
// line that is being written: it is left out, and heard whole.
type follower struct {
	query query
	seed  maphash.Seed
	read  map[uint64]int // lines of the files that may still come, asked for or not, by their hash
}

// late is how long a line may take from its time to who follows: on a busy machine, those
// that were written before somebody began to listen are told after it.
const late = time.Second

// follow answers /logs with the lines that are there, and those that come.
func (n Node) follow(w http.ResponseWriter, r *http.Request, q query) {
	s, ok := sse.Open[heard](n.Streams, w, r)
	if !ok {
		return
	}
	defer s.Close()
	f := &follower{query: q, seed: maphash.MakeSeed(), read: map[uint64]int{}}
	leave, err := n.Lines.join(q.about, s.Send)
	if err != nil {
		http.Error(w, fmt.Sprintf("new lines cannot be had now: %v", err), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	t, err := f.tail(r.Context(), n.Logs)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if t.cut != "" && s.Write(sse.Event{Name: "incomplete", Data: sse.Why{Why: t.cut}}) != nil {
		return
	}
	for _, e := range slices.Backward(t.lines) {
		if s.Write(f.event(e.ref, e.line)) != nil {
			return
		}
	}
	t.lines = nil // they may be many, and the stream may be long
	s.Run(f.next)
}

// tail is what is in the files. A program that has none yet may come to write.
func (f *follower) tail(ctx context.Context, dir string) (t tail, err error) {
	found, err := findLogs(dir)
	if err != nil {
		return t, err
	}
	if t, err = tailOf(ctx, f.query.of(found), f.query, f.note); err != nil {
		return t, err
	}
	for _, e := range t.lines {
		f.note(e)
	}
	return t, nil
}

// note has a line be left out when it is heard.
func (f *follower) note(e entry) {
	if e.made && e.line.Time.After(f.query.begun.Add(-late)) {
		f.read[f.hash(e.ref, e.line)]++
	}
}

// next is the event of a line that was heard; none if it was read before, or is not
// asked for.
func (f *follower) next(h heard) (e sse.Event, ok bool) {
	if h.gap {
		return sse.Event{Name: "incomplete", Data: sse.Why{Why: "the node's bus was away for a moment: lines may be missing here"}}, true
	}
	if !f.query.wants(h.line.Time, h.line.Line) {
		return e, false
	}
	if len(f.read) > 0 {
		key := f.hash(h.ref, h.line)
		switch n := f.read[key]; {
		case n > 1:
			f.read[key] = n - 1
			return e, false
		case n == 1:
			delete(f.read, key)
			return e, false
		}
	}
	return f.event(h.ref, h.line), true
}

func (f *follower) event(ref api.Ref, l api.LogLine) sse.Event {
	data := lineEvent{Ref: ref, Stream: l.Stream, Line: l.Line}
	if !l.Time.IsZero() {
		data.Time = &l.Time
	}
	return sse.Event{Name: "line", Data: data}
}

func (f *follower) hash(ref api.Ref, l api.LogLine) uint64 {
	type identity struct {
		ref          api.Ref
		at           int64
		stream, line string
	}
	return maphash.Comparable(f.seed, identity{ref, l.Time.UnixNano(), l.Stream, l.Line})
}

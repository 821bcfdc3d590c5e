package manage

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// readTimeout bounds how long one answer reads, and matches, what is there.
const readTimeout = 10 * time.Second

// maxPassed bounds how many lines are read that are not asked for.
const maxPassed = 2048

// slack is how much the times of two lines that follow each other may be in the wrong
// order: instances of a program take the time before they take turns.
const slack = time.Second

// tail is what was found.
type tail struct {
	lines []entry // the newest first
	cut   string  // why lines may be missing that were asked for; "": none is
}

// tailOf returns the last lines that q asks for of all logs together, fewer when they
// are very long or far back. pass, unless nil, gets those before them that whoever follows may
// still be told of, as far as they are read.
func tailOf(ctx context.Context, logs []workloadLog, q query, pass func(entry)) (t tail, err error) {
	budget := int64(maxRead)
	h, done, err := open(logs, &budget, q.follow)
	defer done()
	if err != nil {
		return t, err
	}
	end := time.Now().Add(readTimeout)
	old := 0
	passed := 0
	asked := func(at time.Time) bool { return old < q.tail || q.isNew(at) }
	for room := maxText; len(h) > 0 && (asked(h[0].at) || pass != nil && passed < maxPassed && h[0].at.After(q.begun.Add(-late))); {
		switch s := h[0]; {
		case ctx.Err() != nil:
			return t, ctx.Err()
		case time.Now().After(end):
			t.cut = fmt.Sprintf("reading what there is was given up after %s", readTimeout)
			return t, nil
		case !q.since.IsZero() && s.at.Before(q.since.Add(-slack)):
			heap.Pop(&h)
			continue
		case !asked(s.at):
			pass(s.entry)
			passed++
		case q.wants(s.at, s.entry.line.Line):
			if room -= len(s.entry.raw) + len(s.ref.Name) + 1; room < 0 {
				t.cut = fmt.Sprintf("it is more than %d bytes", maxText)
				return t, nil
			}
			t.lines = append(t.lines, s.entry)
			if !q.isNew(s.at) {
				old++
			}
		}
		more, err := h[0].advance()
		if err != nil {
			return t, err
		}
		if more {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	if budget <= 0 && old < q.tail {
		t.cut = fmt.Sprintf("only the last %d bytes of the files were read", maxRead)
	}
	return t, nil
}

// open begins to read logs, which may read budget bytes together. With whole, a line that is
// being written is left out. done must be called, also after an error.
func open(logs []workloadLog, budget *int64, whole bool) (h newest, done func(), err error) {
	var opened []*stream
	done = func() {
		for _, s := range opened {
			s.back.close()
		}
	}
	for _, l := range logs {
		s := &stream{back: backward{paths: l.paths, budget: budget, whole: whole}, ref: l.ref, at: time.Unix(0, l.written)}
		opened = append(opened, s)
		more, err := s.advance()
		if err != nil {
			return nil, done, err
		}
		if more {
			h = append(h, s)
		}
	}
	heap.Init(&h)
	return h, done, nil
}

// stream is the log of one program, read backward.
type stream struct {
	back  backward
	ref   api.Ref
	entry entry     // the current one
	at    time.Time // of it; of the one after it, when it has none
}

// advance goes to the line before; false when there is none.
func (s *stream) advance() (bool, error) {
	b, ok, err := s.back.next()
	if !ok || err != nil {
		return false, err
	}
	s.entry = entryOf(s.ref, string(b))
	if s.entry.made {
		s.at = s.entry.line.Time
	}
	return true, nil
}

// newest is a heap whose first stream has the latest line.
type newest []*stream

func (h newest) Len() int           { return len(h) }
func (h newest) Less(i, j int) bool { return h[i].at.After(h[j].at) }
func (h newest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newest) Push(x any)        { *h = append(*h, x.(*stream)) }
func (h *newest) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

// withOlder returns the paths of a program's log and the older ones beside it,
// newest first: NAME.log, then NAME.log.1, NAME.log.2 …
func withOlder(folder, name string, entries []fs.DirEntry) []string {
	type older struct {
		path string
		age  int
	}
	var found []older
	for _, e := range entries {
		if suffix, ok := strings.CutPrefix(e.Name(), name+".log."); ok {
			if age, err := strconv.Atoi(suffix); err == nil && age > 0 {
				found = append(found, older{filepath.Join(folder, e.Name()), age})
			}
		}
	}
	slices.SortFunc(found, func(a, b older) int { return cmp.Compare(a.age, b.age) })
	paths := []string{filepath.Join(folder, name+".log")}
	for _, o := range found {
		paths = append(paths, o.path)
	}
	return paths
}

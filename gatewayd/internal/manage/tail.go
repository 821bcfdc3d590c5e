package manage

import (
	"cmp"
	"container/heap"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tailOf returns the last n lines of all logs together, the newest first, fewer
// when they are very long. named puts KIND/NAME into each.
func tailOf(logs []workloadLog, n int, named bool) (lines []string, err error) {
	budget := int64(maxRead)
	var h newest
	for _, l := range logs {
		s := &stream{back: backward{paths: l.paths, budget: &budget}, name: l.ref.String(), at: time.Unix(0, l.written)}
		defer s.back.close()
		more, err := s.advance()
		if err != nil {
			return nil, err
		}
		if more {
			h = append(h, s)
		}
	}
	heap.Init(&h)
	for room := maxText; len(h) > 0 && len(lines) < n; {
		line := h[0].shown(named)
		if room -= len(line) + 1; room < 0 {
			break
		}
		lines = append(lines, line)
		more, err := h[0].advance()
		if err != nil {
			return nil, err
		}
		if more {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return lines, nil
}

// stream is the log of one program, read backward.
type stream struct {
	back backward
	name string
	line string    // the current one
	at   time.Time // of line; of the one after it, when line has none
}

// advance goes to the line before; false when there is none.
func (s *stream) advance() (bool, error) {
	b, ok, err := s.back.next()
	if !ok || err != nil {
		return false, err
	}
	s.line = string(b)
	if l, ok := parseLine(s.line); ok {
		s.at = l.Time
	}
	return true, nil
}

// shown is the current line for people; named puts the program's name behind the time.
func (s *stream) shown(named bool) string {
	if !named {
		return s.line
	}
	stamp, rest, _ := strings.Cut(s.line, " ")
	if _, ok := parseLine(s.line); ok {
		return stamp + " " + s.name + " " + rest
	}
	return s.name + " " + s.line
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

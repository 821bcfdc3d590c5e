// Package over remembers runs that have ended and of which not all records are kept: of
// many records the oldest go, while the intents of their jobs are still there. Without it
// a daemon that was started anew would take such a run for one that nobody has begun.
//
// The file has a line of JSON for each run, appended, and is written anew when most of its
// lines have no meaning any more. Lines are not synced: what a power cut takes may have a
// run be executed once more, where no other member knows better.
package over

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// Most is how many runs are remembered at a time.
const Most = 100_000

const slack = 1024 // lines without meaning that the file may have

// ErrFull is returned when there are Most.
var ErrFull = errors.New("too many runs are remembered that have ended: remove old jobs (realm job rm)")

// Run is a run that has ended.
type Run struct {
	Root  api.Digest   `json:"root"`
	Run   api.RunKey   `json:"run"`
	Epoch int          `json:"epoch"` // the highest that was known
	State api.JobState `json:"state"`
}

// Table is what is remembered. Its methods are for any goroutine.
type Table struct {
	path string

	mu    sync.Mutex
	jobs  map[api.Digest]map[api.RunKey]Run
	count int
	lines int // of the file
	end   int64
}

// Open reads the file at path, which need not be there. A line that was cut off by a crash
// is dropped.
func Open(path string) (*Table, error) {
	t := &Table{path: path, jobs: map[api.Digest]map[api.RunKey]Run{}}
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read runs that are over: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		t.lines++
		var r Run
		if json.Unmarshal(lines.Bytes(), &r) == nil && !r.Root.IsZero() && r.State.Ended() {
			t.keep(r)
		}
	}
	if t.end = int64(len(raw)); t.end > 0 && raw[t.end-1] != '\n' {
		t.end = int64(bytes.LastIndexByte(raw, '\n') + 1)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read runs that are over: %s: %w", path, err)
	}
	return t, nil
}

func (t *Table) keep(r Run) {
	if t.jobs[r.Root] == nil {
		t.jobs[r.Root] = map[api.RunKey]Run{}
	}
	if _, known := t.jobs[r.Root][r.Run]; !known {
		t.count++
	}
	t.jobs[r.Root][r.Run] = r
}

// Add remembers r, until [Table.Forget].
func (t *Table) Add(r Run) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[r.Root][r.Run] == r {
		return nil
	}
	if t.count >= Most {
		return ErrFull
	}
	t.keep(r)
	text, err := json.Marshal(r)
	if err == nil {
		err = t.append(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember a run that is over: %w", err)
	}
	return nil
}

func (t *Table) append(text []byte) error {
	f, err := os.OpenFile(t.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, t.end)
	if err = errors.Join(err, f.Close()); err == nil {
		t.end += int64(len(text))
		t.lines++
	}
	return err
}

// Of are the runs of a job that are remembered.
func (t *Table) Of(root api.Digest) (out []Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.jobs[root] {
		out = append(out, r)
	}
	return out
}

// Forget drops the runs of all jobs but those that keep names.
func (t *Table) Forget(keep func(root api.Digest) bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for root, runs := range t.jobs {
		if !keep(root) {
			t.count -= len(runs)
			delete(t.jobs, root)
		}
	}
	if t.lines <= t.count+slack {
		return nil // the rest goes with the next writing
	}
	var all bytes.Buffer
	enc := json.NewEncoder(&all)
	for _, runs := range t.jobs {
		for _, r := range runs {
			if err := enc.Encode(r); err != nil {
				return fmt.Errorf("forget runs that are over: %w", err)
			}
		}
	}
	if err := atomicfile.Write(t.path, all.Bytes(), 0o600); err != nil {
		return fmt.Errorf("forget runs that are over: %w", err)
	}
	t.lines, t.end = t.count, int64(all.Len())
	return nil
}

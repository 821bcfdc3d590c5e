package votes

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// MaxVotes is the most that are kept at a time.
const MaxVotes = 100_000

const (
	maxLine = 1 << 10
	slack   = 1024 // lines without meaning that a file may have
)

// ErrFull is returned when there are MaxVotes.
var ErrFull = errors.New("too many votes are kept here; remove old strict jobs (realm job rm)")

// Table is the votes that a node has given. Its methods are for any goroutine.
type Table struct {
	path string

	mu    sync.Mutex
	file  *os.File
	size  int64 // of the file, up to the last whole line
	lines int
	given map[api.JobClaim]promise
	// back are the rounds up to which members have given back what they may have asked
	// for: a question of theirs that arrives later is void. After a restart such a one
	// binds this vote to a member that does not know; it gets it when it asks again.
	back map[asker]int64
}

// promise is who has a vote, by which of its questions.
type promise struct {
	Peer  api.PeerID `json:"peer,omitempty"` // nobody: it was given back
	Round int64      `json:"round,omitempty"`
}

type asker struct {
	api.JobClaim
	peer api.PeerID
}

// line is a change.
type line struct {
	api.JobClaim
	promise
}

// Open reads the file at path, which need not be there.
func Open(path string) (*Table, error) {
	t := &Table{path: path, given: map[api.JobClaim]promise{}, back: map[asker]int64{}}
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("read votes: %w", err)
	}
	if err := t.open(); err != nil {
		return nil, fmt.Errorf("open votes: %w", err)
	}
	return t, nil
}

// Close ends the use of the file.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}

func (t *Table) read() error {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for {
		text, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil // what is left was cut off, and nobody was told
		case err != nil:
			return fmt.Errorf("line %d: %w", t.lines+1, err)
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("line %d of %s is damaged (%w): if nothing strict is under way, remove the file", t.lines+1, t.path, err)
		}
		t.apply(l)
		t.size += int64(len(text))
		t.lines++
	}
}

func (t *Table) apply(l line) {
	if t.given[l.JobClaim] = l.promise; l.Peer == "" {
		delete(t.given, l.JobClaim)
	}
}

// open has the file be appended to, after its last whole line.
func (t *Table) open() error {
	_, err := os.Stat(t.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if t.file, err = os.OpenFile(t.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := t.file.Truncate(t.size); err != nil {
		return err
	}
	if isNew {
		return atomicfile.SyncDir(filepath.Dir(t.path))
	}
	return nil
}

// Vote answers a member that asks for this node's vote, or gives it back: who has it now.
// With an error nothing is promised to anybody.
func (t *Table) Vote(v api.JobVote, from api.PeerID) (api.PeerID, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held, given := t.given[v.JobClaim]
	if v.Release {
		return t.release(v, from, held)
	}
	switch {
	case given && (held.Peer != from || v.Round <= held.Round):
		return held.Peer, nil
	case !given && v.Round < t.back[asker{v.JobClaim, from}]:
		return "", nil
	case !given && len(t.given) >= MaxVotes:
		return "", ErrFull
	}
	return from, t.change(line{v.JobClaim, promise{from, v.Round}})
}

// release takes back what from has by its questions up to that round.
func (t *Table) release(v api.JobVote, from api.PeerID, held promise) (api.PeerID, error) {
	if len(t.back) >= MaxVotes {
		clear(t.back)
	}
	t.back[asker{v.JobClaim, from}] = v.Round + 1
	if held.Peer != from || v.Round < held.Round {
		return held.Peer, nil
	}
	return "", t.change(line{JobClaim: v.JobClaim})
}

// change brings l to disk, then to mind.
func (t *Table) change(l line) error {
	if err := t.append(l); err != nil {
		return fmt.Errorf("keep vote: %w", err)
	}
	t.apply(l)
	return nil
}

// append brings a line to disk. After an error the file is as it was, or unusable.
func (t *Table) append(l line) error {
	if t.file == nil {
		return fs.ErrClosed
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	_, err = t.file.WriteAt(text, t.size)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		// Whether the line is there nobody knows; a vote that is remembered although it
		// was not told costs a retry, one that is forgotten would cost the promise.
		return errors.Join(err, t.file.Truncate(t.size))
	}
	t.size += int64(len(text))
	t.lines++
	return nil
}

// Forget drops the votes of all jobs but those that keep names.
func (t *Table) Forget(keep func(root api.Digest) bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return fmt.Errorf("forget votes: %w", fs.ErrClosed)
	}
	for c := range t.given {
		if !keep(c.Root) {
			delete(t.given, c)
		}
	}
	if t.lines <= len(t.given)+slack {
		return nil // the rest goes with the next writing
	}
	if err := t.rewrite(); err != nil {
		return fmt.Errorf("forget votes: %w", err)
	}
	return nil
}

func (t *Table) rewrite() error {
	var all bytes.Buffer
	enc := json.NewEncoder(&all)
	for c, p := range t.given {
		if err := enc.Encode(line{c, p}); err != nil {
			return err
		}
	}
	// The old file stays open until the new one has taken its place: windows would not
	// let it be replaced then, so it is closed first, and opened again whatever comes.
	t.file.Close()
	err := atomicfile.Write(t.path, all.Bytes(), 0o600)
	if err == nil {
		t.size, t.lines = int64(all.Len()), len(t.given)
	}
	return errors.Join(err, t.open())
}

// Len is how many votes are kept.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.given)
}

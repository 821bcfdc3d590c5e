package trust

import (
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
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Marks are the high-water marks of a daemon: the newest version that it accepted
// of every Ref. They only rise. On disk they are a log of JSON lines, rewritten
// without its history when opened; a last line cut short by a crash is dropped,
// since Advance had not returned yet.
//
// Marks are safe for use by several goroutines.
type Marks struct {
	mu   sync.Mutex
	file *os.File
	size int64 // of the file: what a failed write is cut back to
	torn bool  // the file is longer than size: cutting it back failed, too
	at   map[api.Ref]intent.Version
}

type markLine struct {
	api.Ref
	intent.Version
}

func (m *markLine) Validate() error { return m.Ref.Validate() }

// OpenMarks reads the marks at path, which need not exist, and keeps the file open.
func OpenMarks(path string) (*Marks, error) {
	m := &Marks{at: map[api.Ref]intent.Version{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	if err := m.load(b); err != nil {
		return nil, fmt.Errorf("open marks %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	var compact bytes.Buffer
	if err := m.encode(&compact); err != nil {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	m.size = int64(compact.Len())
	if len(b) == 0 || !bytes.Equal(compact.Bytes(), b) {
		if err := atomicfile.Write(path, compact.Bytes(), 0o600); err != nil {
			return nil, fmt.Errorf("open marks: %w", err)
		}
	}
	if m.file, err = os.OpenFile(path, os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	return m, nil
}

// load takes every whole line of b. A broken line before the last is corruption:
// going on without it could accept a replay.
func (m *Marks) load(b []byte) error {
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			return nil
		}
		var l markLine
		if err := api.Decode(line, 4<<10, &l); err != nil {
			return fmt.Errorf("%w; restore the file from a backup, or remove it to start from what the bus holds", err)
		}
		m.raise(l.Ref, l.Version)
		b = rest
	}
	return nil
}

// encode writes the marks without their history.
func (m *Marks) encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	for ref, v := range m.at {
		if err := enc.Encode(markLine{ref, v}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Marks) raise(r api.Ref, v intent.Version) bool {
	if !v.Newer(m.at[r]) {
		return false
	}
	m.at[r] = v
	return true
}

// At returns the mark of r; the zero Version where there is none.
func (m *Marks) At(r api.Ref) intent.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[r]
}

// Advance raises the mark of r to v and returns once that is on disk. A v that is
// not newer changes nothing and is no error.
func (m *Marks) Advance(r api.Ref, v intent.Version) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !v.Newer(m.at[r]) {
		return nil
	}
	line, err := json.Marshal(markLine{r, v})
	if err != nil {
		return fmt.Errorf("advance mark of %s: %w", r, err)
	}
	if err := m.append(append(line, '\n')); err != nil {
		return fmt.Errorf("advance mark of %s: %w", r, err)
	}
	m.at[r] = v
	return nil
}

// append adds a line to the file, durably and whole, or not at all.
func (m *Marks) append(line []byte) error {
	if m.torn {
		if err := m.file.Truncate(m.size); err != nil {
			return err
		}
	}
	_, err := m.file.WriteAt(line, m.size)
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		undo := m.file.Truncate(m.size)
		m.torn = undo != nil
		return errors.Join(err, undo)
	}
	m.torn = false
	m.size += int64(len(line))
	return nil
}

// Close closes the file.
func (m *Marks) Close() error { return m.file.Close() }

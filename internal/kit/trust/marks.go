package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Marks are the high-water marks of a daemon: the newest version that it accepted
// in every slot. They only rise. On disk they are a log of JSON lines, rewritten
// without its history when opened, and when that has become most of it; a last line
// cut short by a crash is dropped, since Advance had not returned yet.
//
// Marks are safe for use by several goroutines.
type Marks struct {
	path string
	sync func(dir string) error // makes names in a folder durable

	mu    sync.Mutex
	file  *os.File // nil: it could not be opened again
	size  int64    // of the file: what a failed write is cut back to
	most  int64    // size at which the file is rewritten
	torn  bool     // the file is longer than size: cutting it back failed, too
	loose bool     // the name may lead to an older file after a power cut
	at    map[intent.Slot]intent.Version
}

// maxHistory is how many bytes of history a file may hold, and more where the marks
// themselves are more.
const maxHistory = 64 << 10

type markLine struct {
	intent.Slot
	intent.Version
}

func (m *markLine) Validate() error { return m.Slot.Validate() }

// OpenMarks reads the marks at path, which need not exist, and keeps the file open.
func OpenMarks(path string) (*Marks, error) {
	m := &Marks{path: path, sync: atomicfile.SyncDir, at: map[intent.Slot]intent.Version{}}
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
	compact, err := m.encode()
	if err != nil {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	if len(b) == 0 || !bytes.Equal(compact, b) {
		if err := atomicfile.Write(path, compact, 0o600); err != nil {
			return nil, fmt.Errorf("open marks: %w", err)
		}
	}
	m.bound(compact)
	if err := m.open(); err != nil {
		return nil, fmt.Errorf("open marks: %w", err)
	}
	return m, nil
}

// open opens the file, in which every line is whole.
func (m *Marks) open() error {
	f, err := os.OpenFile(m.path, os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	m.file, m.size = f, info.Size()
	return nil
}

// bound sets when the file is rewritten, which without its history is compact.
func (m *Marks) bound(compact []byte) { m.most = 2*int64(len(compact)) + maxHistory }

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
		m.raise(l.Slot, l.Version)
		b = rest
	}
	return nil
}

// encode returns the marks without their history.
func (m *Marks) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for slot, v := range m.at {
		if err := enc.Encode(markLine{slot, v}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (m *Marks) raise(s intent.Slot, v intent.Version) {
	if v.Newer(m.at[s]) {
		m.at[s] = v
	}
}

// At returns the mark of s; the zero Version where there is none.
func (m *Marks) At(s intent.Slot) intent.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[s]
}

// Advance raises the mark of s to v and returns once that is on disk. A v that is
// not newer changes nothing and is no error.
func (m *Marks) Advance(s intent.Slot, v intent.Version) error {
	if err := m.AdvanceAll(map[intent.Slot]intent.Version{s: v}); err != nil {
		return fmt.Errorf("%s: %w", s.Ref, err)
	}
	return nil
}

// AdvanceAll is [Marks.Advance] for many slots, with one wait for the disk: all are
// raised, or none.
func (m *Marks) AdvanceAll(to map[intent.Slot]intent.Version) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	for s, v := range to {
		if !v.Newer(m.at[s]) {
			continue
		}
		if err := enc.Encode(markLine{s, v}); err != nil {
			return fmt.Errorf("advance marks: %w", err)
		}
	}
	if lines.Len() == 0 {
		return nil
	}
	if err := m.append(lines.Bytes()); err != nil {
		return fmt.Errorf("advance marks: %w", err)
	}
	for s, v := range to {
		m.raise(s, v)
	}
	if m.size > m.most {
		m.compact()
	}
	return nil
}

// append adds whole lines to the file, durably, or not at all.
func (m *Marks) append(lines []byte) error {
	if m.file == nil {
		if err := m.open(); err != nil {
			return err
		}
	}
	if m.loose {
		if err := m.sync(filepath.Dir(m.path)); err != nil {
			return err
		}
		m.loose = false
	}
	if m.torn {
		if err := m.file.Truncate(m.size); err != nil {
			return err
		}
	}
	_, err := m.file.WriteAt(lines, m.size)
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		undo := m.file.Truncate(m.size)
		m.torn = undo != nil
		return errors.Join(err, undo)
	}
	m.torn = false
	m.size += int64(len(lines))
	return nil
}

// compact rewrites the file, all of which is on disk, without its history. Where that
// fails nothing is lost: the file is as it was, or new, which append makes durable before it
// adds to it; and the next one tries again.
func (m *Marks) compact() {
	b, err := m.encode()
	if err != nil {
		return
	}
	_ = m.file.Close() // first: Windows replaces no file that is open
	m.file = nil
	if err := atomicfile.Write(m.path, b, 0o600); err != nil {
		m.loose = true // it may have failed when the new file had its name already
	} else {
		m.bound(b)
	}
	_ = m.open() // else append does
}

// Close closes the file.
func (m *Marks) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

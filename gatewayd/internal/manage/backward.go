package manage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// blockSize is how much of a file is read at once, in bytes.
const blockSize = 8 << 10

// backward reads the lines of a log from its last to its first: of the current
// file, then of the older ones beside it. At most [maxLine] bytes of a line, and a
// block, are held.
type backward struct {
	paths  []string // newest first
	budget *int64   // bytes that may still be read; shared by several readers
	file   *os.File
	opened fs.FileInfo // file, or the one before
	end    int64       // of file: what lies behind has been read
	held   []byte      // read and not yet given out: whole lines and the rest of one
	begun  bool        // the last line of file has been looked at
	first  bool        // file is the newest
	whole  bool        // leave out an end of the newest file that has no line feed: it is being written
}

// next returns the line before, without its line feed; ok is false when there is
// none, or the budget is used up. The bytes are good until the next call.
func (b *backward) next() (line []byte, ok bool, err error) {
	for {
		if b.file == nil {
			if opened, err := b.open(); err != nil || !opened {
				return nil, false, err
			}
		}
		if i := bytes.LastIndexByte(b.held, '\n'); i >= 0 {
			line, b.held = b.held[i+1:], b.held[:i]
			if b.skipEnd(line) {
				continue
			}
			return cut(line), true, nil
		}
		if b.end == 0 {
			line, b.held = b.held, nil
			b.close()
			if b.skipEnd(line) {
				continue
			}
			return cut(line), true, nil
		}
		if *b.budget <= 0 {
			return nil, false, nil
		}
		if err := b.read(); err != nil {
			return nil, false, err
		}
	}
}

// skipEnd reports whether line is what follows the last line feed of a file, and is none:
// it is empty, or to be left out.
func (b *backward) skipEnd(line []byte) bool {
	end := !b.begun
	b.begun = true
	return end && (len(line) == 0 || b.whole && b.first)
}

// read puts the block before end in front of what is held.
func (b *backward) read() error {
	n := min(blockSize, b.end)
	// The rest of a line that is far too long: only its beginning is ever shown.
	held := b.held[:min(len(b.held), maxLine+1)]
	grown := make([]byte, int(n)+len(held))
	if _, err := b.file.ReadAt(grown[:n], b.end-n); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	copy(grown[n:], held)
	b.held, b.end = grown, b.end-n
	*b.budget -= n
	return nil
}

// open opens the file that is older than the one before. Rotation moves files on
// along the paths, also between two calls of this; a file is known by what it is,
// not by its name.
func (b *backward) open() (bool, error) {
	for next, ok := b.after(); ok && next < len(b.paths); {
		info, err := os.Lstat(b.paths[next])
		if err != nil || !info.Mode().IsRegular() {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, fmt.Errorf("read log: %w", err)
			}
			next++
			continue
		}
		f, err := os.Open(b.paths[next])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("read log: %w", err)
		}
		if err == nil {
			now, err := f.Stat()
			if err == nil && os.SameFile(now, info) && !b.same(info) {
				b.first = b.opened == nil
				b.file, b.opened, b.end, b.begun = f, now, now.Size(), false
				return true, nil
			}
			f.Close()
		}
		next, ok = b.after() // it was moved just now
	}
	return false, nil
}

// after is the place in paths that follows the file that was read before; false
// when that has been thrown away, and all that was older with it.
func (b *backward) after() (int, bool) {
	if b.opened == nil {
		return 0, true
	}
	for i, path := range b.paths {
		if info, err := os.Lstat(path); err == nil && b.same(info) {
			return i + 1, true
		}
	}
	return 0, false
}

func (b *backward) same(f fs.FileInfo) bool { return b.opened != nil && os.SameFile(f, b.opened) }

func (b *backward) close() {
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

func cut(line []byte) []byte { return line[:min(len(line), maxLine)] }

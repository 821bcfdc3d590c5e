package intents

import (
	"errors"
	"os"
)

// journal is a file that grows by whole lines, or not at all.
type journal struct {
	path string
	file *os.File
	size int64 // of the lines that are kept
	torn bool  // the file is longer than size: cutting it back failed, too
}

// openJournal opens the file at path behind its first size bytes; the rest goes.
func openJournal(path string, size int64) (*journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{path: path, file: f, size: size}, nil
}

// append adds lines, durably.
func (j *journal) append(lines []byte) error {
	if j.torn {
		if err := j.file.Truncate(j.size); err != nil {
			return err
		}
	}
	_, err := j.file.WriteAt(lines, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		undo := j.file.Truncate(j.size)
		j.torn = undo != nil
		return errors.Join(err, undo)
	}
	j.torn = false
	j.size += int64(len(lines))
	return nil
}

func (j *journal) close() error { return j.file.Close() }

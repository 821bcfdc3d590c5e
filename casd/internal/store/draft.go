package store

import (
	"errors"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
)

// draft is a chunk's file before it has its name. Where the file system can do that it
// has none until then: it is made where it stays, and nothing is left of it when the
// process dies.
type draft struct {
	file chunkFile // open while it has no name
	path string    // its name under tmp; "": it has none
}

// newDraft writes the file of chunk d, not synced. The caller names it or drops it.
func (s *Store) newDraft(d api.Digest, b []byte) (n draft, err error) {
	if s.nameless {
		n.file, err = createNameless(s.folder(dirChunks, d))
	} else {
		n.path = s.tempPath()
		n.file, err = createFile(n.path)
	}
	if err != nil {
		return draft{}, err
	}
	_, err = n.file.Write(b)
	if err == nil && len(b) >= startAt {
		n.file.startWriting()
	}
	if n.path != "" {
		err = errors.Join(err, n.file.Close())
	}
	if err != nil {
		return draft{}, errors.Join(err, n.drop())
	}
	return n, nil
}

// startAt is from how many bytes on the disk is told at once to write a chunk.
const startAt = 128 << 10

// name gives a draft its name, in the place of a file that has it.
func (s *Store) name(n draft, path string) error {
	if n.path == "" {
		err := n.file.link(path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		// What fails its check is replaced.
		n.path = s.tempPath()
		if err := n.file.link(n.path); err != nil {
			return err
		}
	}
	if err := os.Rename(n.path, path); err != nil {
		return errors.Join(err, os.Remove(n.path))
	}
	return nil
}

// drop ends the use of a draft that has got its name elsewhere, or is to have none.
func (n draft) drop() error {
	if n.path == "" {
		return n.file.Close()
	}
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tryNameless finds out whether files can be made without a name here.
func (s *Store) tryNameless() bool {
	f, err := createNameless(s.path(dirTemp))
	if err != nil {
		return false
	}
	name := s.tempPath()
	linked := f.link(name) == nil
	closed := f.Close() == nil
	return linked && closed && os.Remove(name) == nil
}

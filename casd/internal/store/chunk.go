package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Chunk returns the checked bytes of a chunk, of any blob. Errors: [ErrNotFound],
// [ErrDamaged].
func (s *Store) Chunk(d api.Digest) ([]byte, error) {
	if d.IsZero() {
		return nil, fmt.Errorf("chunk without digest: %w", ErrNotFound)
	}
	b, err := s.load(d, new(buffer))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("chunk %s: %w", d.Short(), ErrNotFound)
	}
	return b, err
}

// load reads a chunk into buf and checks it. One that fails its check is taken
// out of use before load returns [ErrDamaged].
func (s *Store) load(d api.Digest, buf *buffer) ([]byte, error) {
	b, err := readChunk(s.chunkPath(d), d, buf)
	if errors.Is(err, ErrDamaged) {
		return nil, errors.Join(err, s.lose(d))
	}
	return b, err
}

// readChunk returns [fs.ErrNotExist], [ErrDamaged] for a file that cannot be read
// or has other bytes than its name says, or an error of opening it.
func readChunk(path string, d api.Digest, buf *buffer) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := io.ReadFull(f, buf[:])
	switch {
	case err == nil:
		if more, _ := f.Read(make([]byte, 1)); more > 0 {
			return nil, fmt.Errorf("chunk %s: %w: it is longer than a chunk", d.Short(), ErrDamaged)
		}
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("chunk %s: %w: %w", d.Short(), ErrDamaged, err)
	}
	if api.Sum(buf[:n]) != d {
		return nil, fmt.Errorf("chunk %s: %w", d.Short(), ErrDamaged)
	}
	return buf[:n], nil
}

// lose takes a damaged or vanished chunk out of use: its file is moved aside, and
// every blob that lists it is whole no longer. A chunk that was mended meanwhile
// stays.
func (s *Store) lose(d api.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.chunkPath(d)
	_, err := readChunk(path, d, new(buffer))
	damaged := errors.Is(err, ErrDamaged)
	if !damaged && !errors.Is(err, fs.ErrNotExist) {
		return err // nil: it is sound again
	}
	size, blobs, err := s.demote(d)
	if err != nil {
		return err
	}
	s.stats.Blobs -= blobs
	if damaged || blobs > 0 {
		s.stats.Chunks--
		s.stats.Bytes -= size
	}
	if !damaged {
		return nil
	}
	s.stats.Corrupt++
	s.log.Error("a chunk is damaged on this disk; its blobs count as missing until they are fetched again", "chunk", d.String())
	return s.moveAside(path)
}

// demote makes every whole blob that lists chunk d a partial one; it returns how
// many these were and the chunk's size by their indexes.
func (s *Store) demote(d api.Digest) (size, blobs int64, err error) {
	err = s.eachIndex(func(path string, idx api.BlobIndex, whole bool) error {
		i := slices.IndexFunc(idx.Chunks, func(c api.BlobInfo) bool { return c.SHA256 == d })
		if i < 0 {
			return nil
		}
		size = idx.Chunks[i].Size
		if !whole {
			return nil
		}
		blobs++
		s.log.Warn("a blob lacks a chunk", telemetry.KeyBlob, idx.SHA256.String(), "chunk", d.String())
		return os.Rename(path, s.indexPath(idx.SHA256, extPart))
	})
	return size, blobs, err
}

// holds reports whether exactly these bytes are stored as chunk d.
func (s *Store) holds(d api.Digest, b []byte) bool {
	f, err := os.Open(s.chunkPath(d))
	if err != nil {
		return false
	}
	defer f.Close()
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	fi, err := f.Stat()
	if err != nil || fi.Size() != int64(len(b)) {
		return false
	}
	n, err := io.ReadFull(f, buf[:len(b)])
	return err == nil && bytes.Equal(buf[:n], b)
}

// present reports whether chunk c has a file of the right size.
func (s *Store) present(c api.BlobInfo) bool {
	fi, err := os.Lstat(s.chunkPath(c.SHA256))
	return err == nil && fi.Size() == c.Size
}

// place gives a synced file under tmp, written out of r, its name as chunk d. The folder is synced
// later, by publish.
func (s *Store) place(from string, d api.Digest, r *Reservation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.chunkPath(d)
	s.forget(to)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if fi, err := os.Lstat(to); err == nil {
		s.stats.Chunks++
		s.stats.Bytes += fi.Size()
		r.add(0, -fi.Size())
	}
	// What was kept for a look is mended by now.
	if err := os.Remove(s.path(dirCorrupt, d.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// forget takes the file at path out of the counts, if there is one.
func (s *Store) forget(path string) {
	if fi, err := os.Lstat(path); err == nil {
		s.stats.Chunks--
		s.stats.Bytes -= fi.Size()
	}
}

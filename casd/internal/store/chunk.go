package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
)

// Chunk returns the checked bytes of a chunk, of any blob. Errors: [ErrNotFound],
// [ErrDamaged].
func (s *Store) Chunk(d api.Digest) ([]byte, error) {
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	b, err := s.ReadChunk(d, buf[:])
	return bytes.Clone(b), err
}

// ReadChunk is [Store.Chunk] into memory of the caller's, of at least [api.MaxChunk]
// bytes. It returns the part of it that the chunk takes.
func (s *Store) ReadChunk(d api.Digest, buf []byte) ([]byte, error) {
	if d.IsZero() {
		return nil, fmt.Errorf("chunk without digest: %w", ErrNotFound)
	}
	b, err := s.load(d, buf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("chunk %s: %w", d.Short(), ErrNotFound)
	}
	return b, err
}

// load reads a chunk into buf and checks it. One that fails its check is taken
// out of use before load returns [ErrDamaged].
func (s *Store) load(d api.Digest, buf []byte) ([]byte, error) {
	return s.loadSized(d, buf, unknown)
}

// loadSized is load for a chunk that should have size bytes.
func (s *Store) loadSized(d api.Digest, buf []byte, size int64) ([]byte, error) {
	b, err := readChunk(s.chunkPath(d), d, buf, size)
	if errors.Is(err, ErrDamaged) {
		lost := s.met(d)
		return nil, errors.Join(err, lost)
	}
	return b, err
}

// loadListed is load for a chunk of an index: one that is not there is damage,
// and so is an index with another size than the chunk has.
func (s *Store) loadListed(c api.BlobInfo, buf []byte) ([]byte, error) {
	b, err := s.loadSized(c.SHA256, buf, c.Size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		lost := s.met(c.SHA256)
		return nil, errors.Join(fmt.Errorf("chunk %s: %w: it is gone", c.SHA256.Short(), ErrDamaged), lost)
	case err == nil && int64(len(b)) != c.Size:
		return nil, fmt.Errorf("chunk %s: %w: it has %d bytes, the index says %d", c.SHA256.Short(), ErrMismatch, len(b), c.Size)
	}
	return b, err
}

// readChunk returns [fs.ErrNotExist], [ErrDamaged] for a file that cannot be read
// or has other bytes than its name says, or an error of opening it.
func readChunk(path string, d api.Digest, buf []byte, size int64) ([]byte, error) {
	b, err := readFile(path, buf, size)
	if err != nil {
		return nil, err
	}
	if api.Sum(b) != d {
		return nil, fmt.Errorf("chunk %s: %w", d.Short(), ErrDamaged)
	}
	return b, nil
}

// unknown is in the place of a file's size that nobody has told.
const unknown = -1

// readFile reads a whole file into buf. It should have size bytes: then one call of the
// system will do. One that is too long for buf, or that the disk does not give, is
// [ErrDamaged].
func readFile(path string, buf []byte, size int64) ([]byte, error) {
	f, err := openChunk(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := 0
	if size >= 0 && size < int64(len(buf)) {
		if n, err = f.Read(buf[:size+1]); err == nil && int64(n) == size {
			return buf[:n], nil // there was room for more
		}
	}
	if err == nil {
		var m int
		m, err = io.ReadFull(f, buf[n:])
		n += m
	}
	switch {
	case err == nil:
		if more, _ := f.Read(make([]byte, 1)); more > 0 {
			return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrDamaged, path, len(buf))
		}
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return buf[:n], nil
}

// holds reports whether exactly these bytes are stored as chunk d.
func (s *Store) holds(d api.Digest, b []byte) bool {
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	got, err := readFile(s.chunkPath(d), buf[:], int64(len(b)))
	return err == nil && bytes.Equal(got, b)
}

// present reports whether chunk c has a file of the right size.
func (s *Store) present(c api.BlobInfo) bool {
	fi, err := os.Lstat(s.chunkPath(c.SHA256))
	return err == nil && fi.Size() == c.Size
}

// place gives a draft, written out of r, its name as a chunk that somebody has listed,
// else [ErrNotFound]. It is not synced: settle does that.
func (s *Store) place(n draft, c api.BlobInfo, r *Reservation) error {
	sh, key := s.chunks.lock(c.SHA256)
	defer sh.mu.Unlock()
	known, ok := sh.refs[key]
	if !ok {
		return fmt.Errorf("%w: no blob that was begun lists this chunk", ErrNotFound)
	}
	if err := s.name(n, s.chunkPath(c.SHA256)); err != nil {
		return err
	}
	s.dirty.add(c.SHA256)
	s.dropAside(c.SHA256)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known.here() {
		s.stats.Chunks--
		s.stats.Bytes -= known.bytes()
	}
	s.stats.Chunks++
	s.stats.Bytes += c.Size
	r.add(0, -c.Size)
	known.size = uint32(c.Size) | flagHere
	sh.set(key, known)
	return nil
}

// release takes back one listing of each chunk, and removes those that nothing lists
// any more. It returns how many bytes that freed.
func (s *Store) release(chunks []api.BlobInfo) (freed int64, err error) {
	for _, c := range chunks {
		n, e := s.releaseOne(c.SHA256)
		freed, err = freed+n, errors.Join(err, e)
	}
	return freed, err
}

func (s *Store) releaseOne(d api.Digest) (freed int64, err error) {
	sh, key := s.chunks.lock(d)
	defer sh.mu.Unlock()
	r, ok := sh.refs[key]
	if !ok {
		return 0, nil
	}
	if r.listed--; r.listed > 0 {
		sh.refs[key] = r
		return 0, nil
	}
	delete(sh.refs, key)
	if !r.here() {
		return 0, nil
	}
	s.count(func(st *Stats) { st.Chunks--; st.Bytes -= r.bytes() })
	s.dirty.drop(d)
	if err := os.Remove(s.chunkPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("remove chunk: %w", err) // Recover will
	}
	return r.bytes(), nil
}

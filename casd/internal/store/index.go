package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/indexfile"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// How the name of an index ends says what is here of its blob. A blob has one of
// them, but for the moment of a change: then the first in this order counts.
const (
	extWhole = ".idx"
	extLost  = ".lost" // it was whole, until a chunk turned out damaged
	extPart  = ".part" // it is being fetched
)

// Index returns the index of a blob that is here, whole, else [ErrNotFound].
func (s *Store) Index(d api.Digest) (api.BlobIndex, error) { return s.index(d, extWhole) }

// Partial returns the index of a blob of which chunks are missing, else [ErrNotFound].
func (s *Store) Partial(d api.Digest) (api.BlobIndex, error) { return s.index(d, extLost, extPart) }

func (s *Store) index(d api.Digest, exts ...string) (api.BlobIndex, error) {
	if d.IsZero() {
		return api.BlobIndex{}, fmt.Errorf("blob without digest: %w", ErrNotFound)
	}
	for _, ext := range exts {
		path := s.indexPath(d, ext)
		idx, _, err := s.readIndex(path, d)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, ErrDamaged):
			err = fmt.Errorf("blob %s: %w: its index is %w", d.Short(), ErrNotFound, err)
			return api.BlobIndex{}, errors.Join(err, s.dropIndex(path, d))
		}
		return idx, err
	}
	return api.BlobIndex{}, fmt.Errorf("blob %s: %w", d.Short(), ErrNotFound)
}

// readIndex reads an index. One that fails its check is [ErrDamaged].
func (s *Store) readIndex(path string, d api.Digest) (idx api.BlobIndex, added time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return idx, added, err
	}
	defer f.Close()
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	n, err := io.ReadFull(f, buf[:])
	b := buf[:n]
	switch {
	case err == nil: // that of a very large blob
		rest, err := api.ReadAll(f, int64(indexfile.MaxSize-n))
		if err != nil {
			return idx, added, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		b = slices.Concat(b, rest)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return idx, added, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if idx, added, err = indexfile.Decode(b, d); err != nil {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return idx, added, err
}

// dropIndex takes a damaged index out of use, unless it was replaced meanwhile.
func (s *Store) dropIndex(path string, d api.Digest) error {
	dropped, err := s.dropIfDamaged(path, d)
	if dropped {
		s.tell(d)
	}
	return err
}

func (s *Store) dropIfDamaged(path string, d api.Digest) (dropped bool, err error) {
	s.names.Lock()
	defer s.names.Unlock()
	if _, _, err := s.readIndex(path, d); errors.Is(err, ErrDamaged) {
		return true, s.discount(path, err)
	}
	return false, nil
}

// discount retires a damaged index that was counted; names is held. How large its blob
// was is not known any more: Logical is right again after Recover.
func (s *Store) discount(path string, why error) error {
	s.count(func(st *Stats) { st.add(filepath.Ext(path), 0, -1) })
	return s.retire(path, why)
}

// retire moves a damaged index aside, so that its blob counts as missing. The chunks
// that it alone lists stay until the next Recover, for what is fetched again.
func (s *Store) retire(path string, why error) error {
	s.log.Error("an index is damaged; its blob counts as missing", "file", path, telemetry.Error(why))
	return s.moveAside(path)
}

// add counts n more blobs of size bytes each.
func (st *Stats) add(ext string, size, n int64) {
	switch ext {
	case extWhole:
		st.Blobs += n
		st.Logical += n * size
	case extLost:
		st.Damaged += n
		st.Partial += n
	case extPart:
		st.Partial += n
	}
}

// publish gives the index of a blob its name: extWhole once all is durable, or
// extPart. Its chunks are claimed; the index takes the claims over, or publish gives
// them back.
func (s *Store) publish(ctx context.Context, idx api.BlobIndex, ext string) error {
	from, err := s.stageIndex(ctx, idx)
	if err == nil {
		defer os.Remove(from) // fails once renamed: meant
		err = s.settle(ctx, idx.Chunks, from, ext == extWhole)
	}
	var old []api.BlobInfo
	if err == nil {
		old, err = s.reveal(idx, from, ext)
	}
	if err != nil {
		_, e := s.release(idx.Chunks)
		return errors.Join(err, e)
	}
	err = atomicfile.SyncDir(s.folder(dirBlobs, idx.SHA256))
	_, e := s.release(old)
	return errors.Join(err, e)
}

// stageIndex writes an index under tmp, not synced, and returns its name there.
func (s *Store) stageIndex(ctx context.Context, idx api.BlobIndex) (path string, err error) {
	if len(idx.Chunks) > api.MaxChunks {
		return "", fmt.Errorf("%w: %d chunks, at most %d", api.ErrTooLarge, len(idx.Chunks), api.MaxChunks)
	}
	if err := s.hasRoom(ctx); err != nil {
		return "", err
	}
	path = s.tempPath()
	return path, s.write(ctx, path, func(f *os.File) error { return indexfile.Write(f, idx, time.Now()) })
}

// reveal renames an index and returns the chunks that are listed once too often then:
// those of the index that it replaces, or its own where a put has been faster than
// a fetch.
func (s *Store) reveal(idx api.BlobIndex, from, ext string) (old []api.BlobInfo, err error) {
	s.names.Lock()
	defer s.names.Unlock()
	if ext == extPart {
		if _, err := os.Lstat(s.indexPath(idx.SHA256, extWhole)); err == nil {
			return idx.Chunks, nil
		}
	} else {
		for _, c := range idx.Chunks {
			if !s.chunks.here(c.SHA256) {
				return nil, fmt.Errorf("chunk %s: %w since it was written: send the blob once more", c.SHA256.Short(), ErrDamaged)
			}
		}
	}
	was, err := s.entries(idx.SHA256)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(from, s.indexPath(idx.SHA256, ext)); err != nil {
		return nil, err
	}
	s.count(func(st *Stats) { st.add(ext, idx.Size, 1) })
	for _, e := range was {
		if e.ext != ext {
			err = errors.Join(err, os.Remove(e.path))
		}
		s.count(func(st *Stats) { st.add(e.ext, e.idx.Size, -1) })
		old = append(old, e.idx.Chunks...)
	}
	return old, err
}

// entry is an index on disk.
type entry struct {
	path  string
	ext   string
	idx   api.BlobIndex
	added time.Time
}

// entries returns the indexes of a blob; names is held. A damaged one is taken out of
// use.
func (s *Store) entries(d api.Digest) (out []entry, err error) {
	for _, ext := range []string{extWhole, extLost, extPart} {
		path := s.indexPath(d, ext)
		idx, added, err := s.readIndex(path, d)
		switch {
		case err == nil:
			out = append(out, entry{path, ext, idx, added})
		case errors.Is(err, ErrDamaged):
			err = s.discount(path, err)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, err
		}
	}
	return out, nil
}

// eachIndex calls fn for every index that can be read, in the order of the digests. One
// that goes away or appears meanwhile may be seen or not.
func (s *Store) eachIndex(fn func(entry) error) error {
	for i := range 256 {
		if err := s.eachIndexIn(i, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) eachIndexIn(folder int, fn func(entry) error) error {
	return s.eachFile(dirBlobs, folder, func(path, name string) error {
		ext := filepath.Ext(name)
		d, ok := digestOf(strings.TrimSuffix(name, ext))
		if !ok {
			return nil
		}
		idx, added, err := s.readIndex(path, d)
		if errors.Is(err, ErrDamaged) {
			return s.dropIndex(path, d)
		}
		if err != nil {
			return err
		}
		return fn(entry{path, ext, idx, added})
	})
}

// eachFile calls fn for every file in one of the folders 00 to ff, in the order of the
// names. A file that goes away meanwhile is passed over.
func (s *Store) eachFile(kind string, folder int, fn func(path, name string) error) error {
	dir := s.path(kind, fmt.Sprintf("%02x", folder))
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := fn(filepath.Join(dir, f.Name()), f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// digestOf reads the name of a file; false: it is foreign, and Recover sees to it.
func digestOf(name string) (api.Digest, bool) {
	d, err := api.ParseDigest(name)
	return d, err == nil
}

// Blobs lists the blobs that are here, whole, in the order of their digests.
func (s *Store) Blobs() (out []api.Digest, err error) {
	for i := range 256 {
		err := s.eachFile(dirBlobs, i, func(_, name string) error {
			base, whole := strings.CutSuffix(name, extWhole)
			if d, ok := digestOf(base); ok && whole {
				out = append(out, d)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list blobs: %w", err)
		}
	}
	return out, nil
}

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// maxAside is how many damaged files are kept for a look.
const maxAside = 64

// lose takes damaged or vanished chunks out of use: their files are moved aside, and
// every blob that lists one is whole no longer. It returns these blobs. A chunk that
// was mended meanwhile stays.
func (s *Store) lose(chunks ...api.Digest) (blobs []api.Digest, err error) {
	gone := map[api.Digest]bool{}
	for _, d := range chunks {
		lost, e := s.loseFile(d)
		err = errors.Join(err, e)
		if lost {
			gone[d] = true
		}
	}
	if len(gone) == 0 {
		return nil, err
	}
	// Who looked whether all chunks are here before they were not has given its index
	// its name by now.
	s.names.Lock()
	s.names.Unlock() //nolint:staticcheck // nothing is to be done with it held
	blobs, e := s.demote(gone)
	return blobs, errors.Join(err, e)
}

// loseFile reports whether chunk d is not here, after a second look.
func (s *Store) loseFile(d api.Digest) (lost bool, err error) {
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	sh, key := s.chunks.lock(d)
	defer sh.mu.Unlock()
	path := s.chunkPath(d)
	_, err = readChunk(path, d, buf[:], unknown)
	damaged := errors.Is(err, ErrDamaged)
	if !damaged && !errors.Is(err, fs.ErrNotExist) {
		return false, err // nil: it is sound again
	}
	if r := sh.refs[key]; r.here() {
		sh.refs[key] = ref{listed: r.listed, size: r.size &^ flagHere}
		s.count(func(st *Stats) { st.Chunks--; st.Bytes -= r.bytes() })
	}
	if !damaged {
		return true, nil
	}
	s.count(func(st *Stats) { st.Corrupt++ })
	s.log.Error("a chunk is damaged on this disk; its blobs count as missing until they are fetched again", "chunk", d.String())
	return true, s.moveAside(path)
}

// demote makes every whole blob that lists one of these chunks a damaged one, and
// returns all damaged blobs that do.
func (s *Store) demote(gone map[api.Digest]bool) (blobs []api.Digest, err error) {
	lists := func(c api.BlobInfo) bool { return gone[c.SHA256] && !s.chunks.here(c.SHA256) }
	err = s.eachIndex(func(e entry) error {
		if e.ext == extPart || !slices.ContainsFunc(e.idx.Chunks, lists) {
			return nil
		}
		if e.ext == extWhole {
			if err := s.markLost(e); err != nil {
				return err
			}
		}
		blobs = append(blobs, e.idx.SHA256)
		return nil
	})
	return blobs, err
}

// markLost turns the index of a whole blob into that of a damaged one.
func (s *Store) markLost(e entry) error {
	s.names.Lock()
	defer s.names.Unlock()
	if err := os.Rename(e.path, s.indexPath(e.idx.SHA256, extLost)); err != nil {
		return err
	}
	s.log.Warn("a blob lacks a chunk", telemetry.KeyBlob, e.idx.SHA256.String())
	s.count(func(st *Stats) { st.add(extWhole, e.idx.Size, -1); st.add(extLost, e.idx.Size, 1) })
	return nil
}

// moveAside takes a file that failed its check out of everybody's way. Some are kept
// for a look.
func (s *Store) moveAside(path string) error {
	if s.aside.Add(1) > maxAside {
		s.aside.Add(-1)
		return os.Remove(path)
	}
	return os.Rename(path, s.path(dirCorrupt, filepath.Base(path)))
}

// dropAside throws away what was kept of a chunk that is mended, or wanted no more.
func (s *Store) dropAside(d api.Digest) {
	if s.aside.Load() > 0 && os.Remove(s.path(dirCorrupt, d.String())) == nil {
		s.aside.Add(-1)
	}
}

package store

import (
	"fmt"
	"os"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Record describes a blob of the store.
type Record struct {
	api.BlobInfo
	Has     int64     // bytes that are here
	Whole   bool      // false: it is being fetched, or damaged
	Damaged bool      // it was whole; a chunk failed its check and is not mended yet
	Added   time.Time // when it was put, or its fetch began, to the second
	Used    time.Time // last read or asked for, to about an hour
}

// usedWithin is how exactly the store remembers when a blob was used: a write for each
// use would be too many.
const usedWithin = time.Hour

// Records calls fn for every blob, in the order of their digests, until it returns
// an error. fn may call the store.
func (s *Store) Records(fn func(Record) error) error {
	var last api.Digest
	err := s.eachIndex(func(e entry) error {
		if e.idx.SHA256 == last { // in the middle of a change; the first counts
			return nil
		}
		last = e.idx.SHA256
		fi, err := os.Lstat(e.path)
		if err != nil {
			return err
		}
		r := Record{BlobInfo: e.idx.BlobInfo, Has: e.idx.Size, Whole: e.ext == extWhole, Damaged: e.ext == extLost, Added: e.added, Used: fi.ModTime()}
		if !r.Whole {
			for _, c := range e.idx.Chunks {
				if !s.chunks.here(c.SHA256) {
					r.Has -= c.Size
				}
			}
		}
		return fn(r)
	})
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	return nil
}

// Touch notes that a blob is used now.
func (s *Store) Touch(d api.Digest) {
	now := time.Now()
	for _, ext := range []string{extWhole, extLost, extPart} {
		path := s.indexPath(d, ext)
		if fi, err := os.Lstat(path); err == nil {
			if now.Sub(fi.ModTime()).Abs() > usedWithin {
				_ = os.Chtimes(path, now, now) // it has gone since, or its age matters little
			}
			return
		}
	}
}

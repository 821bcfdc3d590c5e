package store

import (
	"errors"
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
	Damaged bool      // a chunk failed its check and is not mended yet
	Added   time.Time // when it was put, or its fetch began
	Used    time.Time // last read or asked for, to about an hour
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// Records calls fn for every blob, in the order of their digests, until it returns
// an error. fn may call the store.
func (s *Store) Records(fn func(Record) error) error {
	var all []Record
	s.mu.Lock()
	err := s.eachIndex(func(path string, idx api.BlobIndex, whole bool) error {
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		r := Record{BlobInfo: idx.BlobInfo, Has: idx.Size, Whole: whole, Added: fi.ModTime(), Used: fi.ModTime()}
		if !whole {
			for _, c := range s.Missing(idx) {
				r.Has -= c.Size
			}
		}
		all = append(all, r)
		return nil
	})
	s.mu.Unlock()
	for _, r := range all {
		if err == nil {
			err = fn(r)
		}
	}
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	return nil
}

// Touch notes that a blob is used now.
func (s *Store) Touch(d api.Digest) {
	now := time.Now()
	for _, ext := range []string{extWhole, extPart} {
		_ = os.Chtimes(s.indexPath(d, ext), now, now) // it is not here, or its age matters little
	}
}

package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/realm-mesh/realm/api"
)

// Size is how many bytes a chunk has, of any blob, else [ErrNotFound]. It says what is
// known of the chunk, without a look at the disk.
func (s *Store) Size(d api.Digest) (int64, error) {
	sh, key := s.chunks.lock(d)
	defer sh.mu.Unlock()
	if r := sh.refs[key]; r.here() {
		return r.bytes(), nil
	}
	return 0, fmt.Errorf("chunk %s: %w", d.Short(), ErrNotFound)
}

// PeekChunk is [Store.ReadChunk] without the check: for chunks that have been checked
// a moment ago, and go to somebody who checks them.
func (s *Store) PeekChunk(d api.Digest, buf []byte) ([]byte, error) {
	b, err := readFile(s.chunkPath(d), buf, unknown)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("chunk %s: %w", d.Short(), ErrNotFound)
	}
	return b, err
}

package store

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/realm-mesh/realm/api"
)

// Reader reads a blob, checking each chunk before it gives out any of its bytes.
// It is an [io.ReadSeekCloser], for one goroutine at a time.
type Reader struct {
	store *Store
	idx   api.BlobIndex
	ends  []int64 // offset at which each chunk ends
	pos   int64
	buf   *buffer
	at    int    // chunk that is loaded; -1: none
	chunk []byte // its bytes, in buf
	lease func() // ends it
}

// Open returns a reader of a blob that is here, whole, else [ErrNotFound]. The blob is
// leased until the caller closes it.
func (s *Store) Open(d api.Digest) (*Reader, error) {
	lease := s.Lease(d)
	idx, err := s.Index(d)
	if err != nil {
		lease()
		return nil, err
	}
	r := &Reader{store: s, idx: idx, lease: lease, at: -1, ends: make([]int64, len(idx.Chunks))}
	end := int64(0)
	for i, c := range idx.Chunks {
		end += c.Size
		r.ends[i] = end
	}
	return r, nil
}

// Info describes the blob.
func (r *Reader) Info() api.BlobInfo { return r.idx.BlobInfo }

// Read implements [io.Reader]. Once it returns [ErrDamaged] the blob counts as
// missing and can be fetched again.
func (r *Reader) Read(p []byte) (int, error) {
	if r.pos >= r.idx.Size {
		return 0, io.EOF
	}
	i := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] > r.pos })
	if err := r.load(i); err != nil {
		return 0, err
	}
	start := r.ends[i] - int64(len(r.chunk))
	n := copy(p, r.chunk[r.pos-start:])
	r.pos += int64(n)
	return n, nil
}

func (r *Reader) load(i int) error {
	if i == r.at {
		return nil
	}
	if r.buf == nil {
		r.buf = r.store.buffers.Get().(*buffer)
	}
	r.at = -1
	b, err := r.store.loadListed(r.idx.Chunks[i], r.buf)
	if err != nil {
		return fmt.Errorf("read blob %s: %w", r.idx.SHA256.Short(), err)
	}
	r.at, r.chunk = i, b
	return nil
}

// Seek implements [io.Seeker].
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.idx.Size
	}
	if offset < 0 {
		return 0, errors.New("seek blob: before its start")
	}
	r.pos = offset
	return offset, nil
}

// Close gives the reader's memory back, and ends its lease.
func (r *Reader) Close() error {
	r.lease()
	if r.buf != nil {
		r.store.buffers.Put(r.buf)
	}
	r.buf, r.chunk, r.at, r.idx.Size = nil, nil, -1, 0
	return nil
}

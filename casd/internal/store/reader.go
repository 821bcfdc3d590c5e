package store

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sort"

	"github.com/realm-mesh/realm/api"
)

// Reader reads a blob, checking each chunk before it gives out any of its bytes.
// While it is read in order, the next chunks are read and checked beside it. It is
// an [io.ReadSeekCloser] and an [io.WriterTo], for one goroutine at a time. Its blob
// is not removed until it is closed.
type Reader struct {
	store   *Store
	release func()
	read    func(c api.BlobInfo, buf []byte) ([]byte, error)
	idx     api.BlobIndex
	ends    []int64 // offset at which each chunk ends
	pos     int64
	cur     *block
	ahead   []*block // that follow cur, being loaded
	run     int      // blocks that were read in a row
}

// Open returns a reader of a blob that is here, whole, else [ErrNotFound]. The
// caller closes it.
func (s *Store) Open(d api.Digest) (*Reader, error) {
	release := s.Lease(d)
	idx, err := s.Index(d)
	if err != nil {
		release()
		return nil, err
	}
	s.Touch(d)
	return s.reader(idx, release, s.loadListed), nil
}

// reader reads the blob of idx, each chunk by read.
func (s *Store) reader(idx api.BlobIndex, release func(), read func(api.BlobInfo, []byte) ([]byte, error)) *Reader {
	r := &Reader{store: s, release: release, read: read, idx: idx, ends: make([]int64, len(idx.Chunks))}
	end := int64(0)
	for i, c := range idx.Chunks {
		end += c.Size
		r.ends[i] = end
	}
	return r
}

// Info describes the blob.
func (r *Reader) Info() api.BlobInfo { return r.idx.BlobInfo }

// Read implements [io.Reader]. Once it returns [ErrDamaged] the blob counts as
// missing and can be fetched again.
func (r *Reader) Read(p []byte) (int, error) {
	b, err := r.next()
	n := copy(p, b)
	r.pos += int64(n)
	return n, err
}

// WriteTo implements [io.WriterTo], in large writes.
func (r *Reader) WriteTo(w io.Writer) (int64, error) { return r.WriteN(w, r.idx.Size) }

// WriteN writes the next n bytes, or what is left, to w.
func (r *Reader) WriteN(w io.Writer, n int64) (written int64, err error) {
	for written < n {
		b, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return written, err
		}
		m, err := w.Write(b[:min(int64(len(b)), n-written)])
		r.pos, written = r.pos+int64(m), written+int64(m)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// next returns checked bytes that follow the position: at least one.
func (r *Reader) next() ([]byte, error) {
	if r.pos >= r.idx.Size {
		return nil, io.EOF
	}
	if err := r.seek(); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", r.idx.SHA256.Short(), err)
	}
	return r.cur.bytes[r.pos-r.cur.start:], nil
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

// Close gives the reader's memory back, and lets go of the blob.
func (r *Reader) Close() error {
	r.drop()
	if r.cur != nil {
		r.store.buffers.Put(r.cur.buf)
	}
	r.cur, r.idx.Size = nil, 0
	r.release()
	return nil
}

// block is a stretch of whole chunks, at most [api.MaxChunk] bytes of them.
type block struct {
	first, last int // chunks
	start       int64
	buf         *buffer
	bytes       []byte
	err         error
	done        chan struct{} // closed once bytes and err are set; nil: they are
}

// seek has cur hold the position.
func (r *Reader) seek() error {
	if r.cur != nil && r.pos >= r.cur.start && r.pos < r.cur.start+int64(len(r.cur.bytes)) {
		return nil
	}
	i := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] > r.pos })
	if r.cur != nil && i == r.cur.last+1 {
		r.run++
	} else {
		r.run = 0
	}
	return r.load(i)
}

// load makes chunk i the first of cur, and has more read ahead while reading goes on
// in order.
func (r *Reader) load(i int) error {
	if r.cur != nil {
		r.store.buffers.Put(r.cur.buf)
		r.cur = nil
	}
	if len(r.ahead) == 0 || r.ahead[0].first != i {
		r.drop()
		// A short stretch at first: often no more is wanted.
		b := r.block(i, min(r.run, 1))
		b.load(r)
		r.ahead = []*block{b}
	}
	if r.run > 0 {
		r.extend()
	}
	b := r.ahead[0]
	r.ahead = r.ahead[1:]
	if b.done != nil {
		<-b.done
		r.store.spare.give(1)
	}
	if len(b.bytes) == 0 {
		r.store.buffers.Put(b.buf)
		return b.err
	}
	// Of a block that is sound at its begin, that much is given out before the error,
	// which comes up again with what follows.
	b.last = b.first + sort.Search(b.last-b.first, func(i int) bool { return r.ends[b.first+i] >= b.start+int64(len(b.bytes)) })
	r.cur = b
	return nil
}

// block returns the stretch that begins with chunk i: that chunk alone, or as much as
// fits.
func (r *Reader) block(i, many int) *block {
	b := &block{first: i, last: i, start: r.ends[i] - r.idx.Chunks[i].Size, buf: r.store.buffers.Get().(*buffer)}
	for many > 0 && b.last+1 < len(r.ends) && r.ends[b.last+1]-b.start <= api.MaxChunk {
		b.last++
	}
	return b
}

// extend has the next blocks loaded beside the reader.
func (r *Reader) extend() {
	for len(r.ahead) < runtime.GOMAXPROCS(0)+2 {
		i := r.ahead[len(r.ahead)-1].last + 1
		if i == len(r.ends) || !r.store.spare.take(1) {
			return
		}
		b := r.block(i, 1)
		b.done = make(chan struct{})
		go func() {
			defer close(b.done)
			b.load(r)
		}()
		r.ahead = append(r.ahead, b)
	}
}

// load reads the chunks of b.
func (b *block) load(r *Reader) {
	n := 0
	for _, c := range r.idx.Chunks[b.first : b.last+1] {
		got, err := r.read(c, b.buf[n:])
		if err != nil {
			b.err = err
			break
		}
		n += len(got)
	}
	b.bytes = b.buf[:n]
}

// drop waits for what is read ahead, and forgets it.
func (r *Reader) drop() {
	for _, b := range r.ahead {
		if b.done != nil {
			<-b.done
			r.store.spare.give(1)
		}
		r.store.buffers.Put(b.buf)
	}
	r.ahead = nil
}

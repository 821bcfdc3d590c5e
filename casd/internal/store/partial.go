package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// Begin notes that the blob of idx is being fetched, so that its chunks are kept
// while it is not whole. An earlier, different index of the same blob is replaced.
func (s *Store) Begin(idx api.BlobIndex) error {
	old, err := s.Partial(idx.SHA256)
	if err == nil && slices.Equal(old.Chunks, idx.Chunks) {
		return nil
	}
	for _, c := range idx.Chunks {
		s.chunks.claim(c)
	}
	if err := s.publish(context.Background(), idx, extPart); err != nil {
		return fmt.Errorf("begin blob %s: %w", idx.SHA256.Short(), err)
	}
	return nil
}

// Missing returns the chunks of idx that are not here, each once.
func (s *Store) Missing(idx api.BlobIndex) []api.BlobInfo {
	var out []api.BlobInfo
	seen := make(map[api.Digest]bool, len(idx.Chunks))
	for _, c := range idx.Chunks {
		if !seen[c.SHA256] && !s.present(c) {
			out = append(out, c)
		}
		seen[c.SHA256] = true
	}
	return out
}

// PutChunk stores a chunk of a blob that was begun. Bytes that are not the chunk's
// are [ErrMismatch]; one that no blob lists is [ErrNotFound].
func (s *Store) PutChunk(c api.BlobInfo, b []byte) error {
	r, err := s.Reserve(context.Background(), c.Size)
	if err != nil {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), err)
	}
	defer r.Release()
	return r.PutChunk(c, b)
}

func (s *Store) putChunk(ctx context.Context, c api.BlobInfo, b []byte, r *Reservation) error {
	if int64(len(b)) != c.Size || len(b) > api.MaxChunk || api.Sum(b) != c.SHA256 {
		return ErrMismatch
	}
	if s.chunks.here(c.SHA256) && s.holds(c.SHA256, b) { // another fetch, or a put, was faster
		r.Give(c.Size)
		return nil
	}
	return s.writeChunk(ctx, c, b, r)
}

// Complete reads a begun blob from its first chunk to its last and makes it whole
// once all is durable. Errors: [ErrMismatch], the index does not lead to the
// blob's bytes; [ErrDamaged], a chunk was lost and has to be fetched again.
func (s *Store) Complete(ctx context.Context, idx api.BlobIndex) error {
	if err := s.complete(ctx, idx); err != nil {
		return fmt.Errorf("complete blob %s: %w", idx.SHA256.Short(), err)
	}
	return nil
}

func (s *Store) complete(ctx context.Context, idx api.BlobIndex) error {
	// What is claimed stays, whoever removes the blob meanwhile.
	for _, c := range idx.Chunks {
		s.chunks.claim(c)
	}
	if err := s.verify(ctx, idx); err != nil {
		_, e := s.release(idx.Chunks)
		return errors.Join(err, e)
	}
	return s.publish(ctx, idx, extWhole)
}

// verify checks that the chunks of idx make up its blob. The digest of the whole
// vouches for each of them; they are looked at one by one when it does not come out.
func (s *Store) verify(ctx context.Context, idx api.BlobIndex) error {
	sum, err := s.sumWhole(ctx, idx)
	if err == nil && sum == idx.SHA256 {
		return nil
	}
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	var lost error
	if err := s.walk(ctx, idx, func(c api.BlobInfo) error {
		_, err := s.loadListed(c, buf[:])
		if errors.Is(err, ErrDamaged) {
			lost, err = err, nil
		}
		return err
	}); err != nil || lost != nil {
		return errors.Join(err, lost)
	}
	return fmt.Errorf("%w: its index is wrong", ErrMismatch)
}

// sumWhole is the digest of all chunks of idx, of which the next ones are read while one
// is hashed.
func (s *Store) sumWhole(ctx context.Context, idx api.BlobIndex) (api.Digest, error) {
	chunks := s.reader(idx, func() {}, s.readListed)
	defer chunks.Close()
	whole := sha256.New()
	_, err := chunks.WriteTo(sumFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return whole.Write(b)
	}))
	return api.Digest(whole.Sum(nil)), err
}

type sumFunc func([]byte) (int, error)

func (f sumFunc) Write(b []byte) (int, error) { return f(b) }

// readListed reads a chunk of an index, and looks at its size alone.
func (s *Store) readListed(c api.BlobInfo, buf []byte) ([]byte, error) {
	b, err := readFile(s.chunkPath(c.SHA256), buf, c.Size)
	if err == nil && int64(len(b)) != c.Size {
		err = ErrDamaged
	}
	return b, err
}

// walk calls fn for each chunk of idx until it fails or ctx ends.
func (s *Store) walk(ctx context.Context, idx api.BlobIndex, fn func(api.BlobInfo) error) error {
	for _, c := range idx.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// Abandon forgets a begun blob and the chunks that no other blob lists.
func (s *Store) Abandon(d api.Digest) error {
	if _, _, err := s.forget(d, false, extLost, extPart); err != nil {
		return fmt.Errorf("abandon blob %s: %w", d.Short(), err)
	}
	return nil
}

// forget removes the index of a blob if it is one of these, and the chunks that no
// other lists. With polite, it keeps one that is leased.
func (s *Store) forget(d api.Digest, polite bool, exts ...string) (done bool, freed int64, err error) {
	chunks, done, err := s.unlist(d, polite, exts)
	if err != nil {
		return done, 0, err
	}
	freed, err = s.release(chunks)
	return done, freed, err
}

func (s *Store) unlist(d api.Digest, polite bool, exts []string) (chunks []api.BlobInfo, done bool, err error) {
	s.names.Lock()
	defer s.names.Unlock()
	if polite && s.Leased(d) {
		return nil, false, nil
	}
	all, err := s.entries(d)
	if err != nil {
		return nil, false, err
	}
	for _, e := range all {
		if !slices.Contains(exts, e.ext) {
			continue
		}
		if err := os.Remove(e.path); err != nil {
			return chunks, done, err
		}
		s.count(func(st *Stats) { st.add(e.ext, e.idx.Size, -1) })
		chunks, done = append(chunks, e.idx.Chunks...), true
	}
	return chunks, done, nil
}

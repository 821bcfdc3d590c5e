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
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// Begin notes that the blob of idx is being fetched, so that its chunks are kept
// while it is not whole. An earlier, different index of the same blob is replaced.
func (s *Store) Begin(idx api.BlobIndex) error {
	old, err := s.Partial(idx.SHA256)
	if err == nil && slices.Equal(old.Chunks, idx.Chunks) {
		return nil
	}
	replaces := err == nil
	if err := s.begin(idx); err != nil {
		return fmt.Errorf("begin blob %s: %w", idx.SHA256.Short(), err)
	}
	if !replaces {
		return nil
	}
	return s.prune(old)
}

func (s *Store) begin(idx api.BlobIndex) error {
	from, err := s.stageIndex(idx)
	if err != nil {
		return err
	}
	defer os.Remove(from) // fails once renamed: meant
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Lstat(s.indexPath(idx.SHA256, extWhole)); err == nil {
		return nil // a put was faster
	}
	return atomicfile.Rename(from, s.indexPath(idx.SHA256, extPart))
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
// are [ErrMismatch].
func (s *Store) PutChunk(c api.BlobInfo, b []byte) error {
	if int64(len(b)) != c.Size || len(b) > api.MaxChunk || api.Sum(b) != c.SHA256 {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), ErrMismatch)
	}
	r, err := s.Reserve(context.Background(), c.Size)
	if err != nil {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), err)
	}
	defer r.Release()
	from := s.tempPath()
	if err := r.write(context.Background(), from, b); err != nil {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), err)
	}
	if err := s.place(from, c.SHA256, r); err != nil {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), errors.Join(err, os.Remove(from)))
	}
	return nil
}

// Complete reads a begun blob from its first chunk to its last and makes it whole
// once all is durable. Errors: [ErrMismatch], the index does not lead to the
// blob's bytes; [ErrDamaged], a chunk was lost and has to be fetched again.
func (s *Store) Complete(ctx context.Context, idx api.BlobIndex) error {
	if err := s.verify(ctx, idx); err != nil {
		return fmt.Errorf("complete blob %s: %w", idx.SHA256.Short(), err)
	}
	if err := s.publish(idx); err != nil {
		return fmt.Errorf("complete blob %s: %w", idx.SHA256.Short(), err)
	}
	return nil
}

func (s *Store) verify(ctx context.Context, idx api.BlobIndex) error {
	whole := sha256.New()
	buf := s.buffers.Get().(*buffer)
	defer s.buffers.Put(buf)
	for _, c := range idx.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := s.loadListed(c, buf)
		if err != nil {
			return err
		}
		whole.Write(b)
	}
	if api.Digest(whole.Sum(nil)) != idx.SHA256 {
		return fmt.Errorf("%w: its index is wrong", ErrMismatch)
	}
	return nil
}

// loadListed is load for a chunk of an index: one that is not there is damage,
// and so is an index with another size than the chunk has.
func (s *Store) loadListed(c api.BlobInfo, buf *buffer) ([]byte, error) {
	b, err := s.load(c.SHA256, buf)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.Join(fmt.Errorf("chunk %s: %w: it is gone", c.SHA256.Short(), ErrDamaged), s.lose(c.SHA256))
	case err == nil && int64(len(b)) != c.Size:
		return nil, fmt.Errorf("chunk %s: %w: it has %d bytes, the index says %d", c.SHA256.Short(), ErrMismatch, len(b), c.Size)
	}
	return b, err
}

// Abandon forgets a begun blob and the chunks that no other blob lists.
func (s *Store) Abandon(d api.Digest) error {
	idx, err := s.Partial(d)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = os.Remove(s.indexPath(d, extPart))
	}
	if err == nil {
		err = s.prune(idx)
	}
	if err != nil {
		return fmt.Errorf("abandon blob %s: %w", d.Short(), err)
	}
	return nil
}

// prune removes those chunks of idx that no index lists any more.
func (s *Store) prune(idx api.BlobIndex) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	drop := make(map[api.Digest]bool, len(idx.Chunks))
	for _, c := range idx.Chunks {
		drop[c.SHA256] = true
	}
	err := s.eachIndex(func(_ string, other api.BlobIndex, _ bool) error {
		for _, c := range other.Chunks {
			delete(drop, c.SHA256)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("prune chunks: %w", err)
	}
	for d := range drop {
		path := s.chunkPath(d)
		s.forget(path)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("prune chunks: %w", err)
		}
	}
	return nil
}

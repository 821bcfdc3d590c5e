package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Index returns the index of a blob that is here, whole, else [ErrNotFound].
func (s *Store) Index(d api.Digest) (api.BlobIndex, error) { return s.index(d, extWhole) }

// Partial returns the index of a blob of which chunks are missing, else [ErrNotFound].
func (s *Store) Partial(d api.Digest) (api.BlobIndex, error) { return s.index(d, extPart) }

func (s *Store) index(d api.Digest, ext string) (api.BlobIndex, error) {
	if d.IsZero() {
		return api.BlobIndex{}, fmt.Errorf("blob without digest: %w", ErrNotFound)
	}
	path := s.indexPath(d, ext)
	idx, err := readIndex(path, d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return api.BlobIndex{}, fmt.Errorf("blob %s: %w", d.Short(), ErrNotFound)
	case errors.Is(err, ErrDamaged):
		err = fmt.Errorf("blob %s: %w: its index is %w", d.Short(), ErrNotFound, err)
		return api.BlobIndex{}, errors.Join(err, s.dropIndex(path, d))
	}
	return idx, err
}

// readIndex reads an index and checks all of it that can be checked by itself.
func readIndex(path string, d api.Digest) (api.BlobIndex, error) {
	f, err := os.Open(path)
	if err != nil {
		return api.BlobIndex{}, err
	}
	defer f.Close()
	b, err := api.ReadAll(f, api.MaxBlobIndex)
	if err != nil && !errors.Is(err, api.ErrTooLarge) {
		return api.BlobIndex{}, fmt.Errorf("read index: %w", err)
	}
	var idx api.BlobIndex
	if err == nil {
		err = api.Decode(b, api.MaxBlobIndex, &idx)
	}
	if err == nil && idx.SHA256 != d {
		err = fmt.Errorf("it is about blob %s", idx.SHA256.Short())
	}
	if err != nil {
		return api.BlobIndex{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return idx, nil
}

// dropIndex takes a damaged index out of use, unless it was replaced meanwhile.
func (s *Store) dropIndex(path string, d api.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := readIndex(path, d); errors.Is(err, ErrDamaged) {
		return s.retire(path, err)
	}
	return nil
}

// retire moves a damaged index aside, so that its blob counts as missing. mu is held.
func (s *Store) retire(path string, why error) error {
	s.log.Error("an index is damaged; its blob counts as missing", "file", path, telemetry.Error(why))
	if err := s.moveAside(path); err != nil {
		return err
	}
	if filepath.Ext(path) == extWhole {
		s.stats.Blobs--
	}
	return nil
}

// stageIndex writes an index under tmp and returns its name there.
func (s *Store) stageIndex(idx api.BlobIndex) (string, error) {
	if len(idx.Chunks) > s.maxChunks {
		return "", fmt.Errorf("%w: %d chunks, at most %d", api.ErrTooLarge, len(idx.Chunks), s.maxChunks)
	}
	b, err := json.Marshal(idx)
	if err != nil {
		return "", err
	}
	if err := s.hasRoom(context.Background()); err != nil {
		return "", err
	}
	path := s.tempPath()
	return path, s.write(context.Background(), path, b)
}

// publish makes a blob whole whose chunks have been placed: it syncs what holds
// them, checks that none was lost meanwhile, and gives the index its name.
func (s *Store) publish(idx api.BlobIndex) error {
	from, err := s.stageIndex(idx)
	if err != nil {
		return err
	}
	defer os.Remove(from) // fails once renamed: meant
	if err := s.syncFolders(idx); err != nil {
		return err
	}
	if err := s.reveal(idx, from); err != nil {
		return err
	}
	return atomicfile.SyncDir(s.folder(dirBlobs, idx.SHA256))
}

func (s *Store) reveal(idx api.BlobIndex, from string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range idx.Chunks {
		if !s.present(c) {
			return fmt.Errorf("chunk %s: %w since it was written: send the blob once more", c.SHA256.Short(), ErrDamaged)
		}
	}
	to := s.indexPath(idx.SHA256, extWhole)
	_, err := os.Lstat(to)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		s.stats.Blobs++
	}
	if err := os.Remove(s.indexPath(idx.SHA256, extPart)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolders makes the names of a blob's chunks durable.
func (s *Store) syncFolders(idx api.BlobIndex) error {
	done := map[string]bool{}
	for _, c := range idx.Chunks {
		dir := s.folder(dirChunks, c.SHA256)
		if done[dir] {
			continue
		}
		done[dir] = true
		if err := atomicfile.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// eachIndex calls fn for every index that can be read and retires the others. mu
// is held.
func (s *Store) eachIndex(fn func(path string, idx api.BlobIndex, whole bool) error) error {
	return s.eachFile(dirBlobs, func(path, name string) error {
		ext := filepath.Ext(name)
		d, err := api.ParseDigest(strings.TrimSuffix(name, ext))
		if err != nil || ext != extWhole && ext != extPart {
			return s.moveAside(path)
		}
		idx, err := readIndex(path, d)
		if errors.Is(err, ErrDamaged) {
			return s.retire(path, err)
		}
		if err != nil {
			return err
		}
		return fn(path, idx, ext == extWhole)
	})
}

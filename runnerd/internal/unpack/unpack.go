package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Blobs is the store.
type Blobs interface {
	// Bring has a blob be here, from other members if need be.
	Bring(ctx context.Context, b api.BlobInfo) error
	// Open reads a blob that is here, checked against its digest on the way.
	Open(ctx context.Context, b api.BlobInfo) (io.ReadCloser, error)
}

// Limits of what an archive holds.
var limits = archive.Limits{Bytes: maxBytes, Files: maxFiles}

const (
	maxBytes = 4 << 30 // unpacked
	maxFiles = archive.MaxFiles
	idle     = 8 // folders that nobody has, which are kept
	tmp      = ".tmp-"
)

// Store unpacks archives. It is safe for use by several goroutines.
type Store struct {
	dir   string
	blobs Blobs

	mu      sync.Mutex
	folders map[api.Digest]*folder
	unused  []api.Digest // oldest first
}

type folder struct {
	users int
	ready chan struct{} // closed when it is there, or err says why not
	err   error
}

// Open returns the Store in dir, which need not exist.
func Open(dir string, blobs Blobs) (*Store, error) {
	s := &Store{dir: dir, blobs: blobs, folders: map[api.Digest]*folder{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open files of programs: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open files of programs: %w", err)
	}
	for _, e := range entries {
		d, err := api.ParseDigest(e.Name())
		if err != nil && !strings.HasPrefix(e.Name(), tmp) {
			continue // not ours
		}
		if err != nil { // a crash has left it
			if err := removeAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("open files of programs: %w", err)
			}
			continue
		}
		ready := make(chan struct{})
		close(ready)
		s.folders[d] = &folder{ready: ready}
		s.unused = append(s.unused, d)
	}
	s.tidy()
	return s, nil
}

// Files opens the folder of an archive, unpacked here if it is not yet, until release is
// called. Errors: a [*program.RefusedError] where the archive is none, others may pass.
func (s *Store) Files(ctx context.Context, b api.BlobInfo) (root *os.Root, release func(), err error) {
	f, mine := s.enter(b.SHA256)
	if mine {
		f.err = s.fill(ctx, b)
		close(f.ready)
	}
	select {
	case <-f.ready:
		err = f.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		root, err = os.OpenRoot(s.path(b.SHA256))
	}
	if err != nil {
		s.leave(b.SHA256, f)
		return nil, nil, err
	}
	return root, sync.OnceFunc(func() {
		_ = root.Close() // nothing was written
		s.leave(b.SHA256, f)
	}), nil
}

func (s *Store) path(d api.Digest) string { return filepath.Join(s.dir, d.String()) }

// enter counts a user more; mine: the caller is to make the folder.
func (s *Store) enter(d api.Digest) (f *folder, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.folders[d]
	if mine = f == nil; mine {
		f = &folder{ready: make(chan struct{})}
		s.folders[d] = f
	}
	f.users++
	for i, u := range s.unused {
		if u == d {
			s.unused = append(s.unused[:i:i], s.unused[i+1:]...)
			break
		}
	}
	return f, mine
}

func (s *Store) leave(d api.Digest, f *folder) {
	s.mu.Lock()
	f.users--
	bad := false
	select {
	case <-f.ready:
		bad = f.err != nil
	default: // who makes it has not left
	}
	switch {
	case s.folders[d] != f:
	case bad:
		delete(s.folders, d) // the next one tries again
	case f.users == 0:
		s.unused = append(s.unused, d)
	}
	s.mu.Unlock()
	s.tidy()
}

// tidy removes what nobody has, but for the latest few.
func (s *Store) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unused) > idle {
		d := s.unused[0]
		s.unused = s.unused[1:]
		delete(s.folders, d)
		gone := filepath.Join(s.dir, tmp+d.String())
		if os.Rename(s.path(d), gone) == nil { // else it is there for the next start
			_ = removeAll(gone) // likewise
		}
	}
}

// fill unpacks b into its folder.
func (s *Store) fill(ctx context.Context, b api.BlobInfo) error {
	dir, err := os.MkdirTemp(s.dir, tmp)
	if err != nil {
		return fmt.Errorf("unpack files: %w", err)
	}
	defer func() { _ = removeAll(dir) }() // it is not there once renamed
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack files: %w", err)
	}
	err = s.unpack(ctx, b, root, true)
	if err = errors.Join(err, root.Close()); err != nil {
		return err
	}
	if err := atomicfile.Rename(dir, s.path(b.SHA256)); err != nil {
		return fmt.Errorf("unpack files: %w", err)
	}
	return nil
}

// Into unpacks an archive into an empty folder, for programs to write to. Errors are those
// of [Store.Files]; what is half there is for the caller to remove.
func (s *Store) Into(ctx context.Context, b api.BlobInfo, into *os.Root) error {
	return s.unpack(ctx, b, into, false)
}

func (s *Store) unpack(ctx context.Context, b api.BlobInfo, into *os.Root, readOnly bool) error {
	if err := s.blobs.Bring(ctx, b); err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	f, err := s.spool(ctx, b)
	if err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	defer f.Close()
	a, err := archive.Open(f, b.Size, limits)
	if err != nil {
		return program.Refuse("the files that it mounts (%s) are no archive that may be unpacked: %v", b.SHA256.Short(), err)
	}
	if err := a.Verify(ctx); err != nil {
		if errors.Is(err, archive.ErrBad) {
			return program.Refuse("the files that it mounts (%s) are no archive that may be unpacked: %v", b.SHA256.Short(), err)
		}
		return fmt.Errorf("unpack files: %w", err)
	}
	if err := disk.Room(s.dir, a.Size(), disk.ReserveState); err != nil {
		return fmt.Errorf("unpack files: %w", err)
	}
	if err := a.Extract(ctx, into, readOnly); err != nil {
		return fmt.Errorf("unpack files: %w", err)
	}
	return nil
}

// spool copies a blob into a file without a name, where it can be read at any place.
func (s *Store) spool(ctx context.Context, b api.BlobInfo) (f *os.File, err error) {
	from, err := s.blobs.Open(ctx, b)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	if err := disk.Room(s.dir, b.Size, disk.ReserveState); err != nil {
		return nil, err
	}
	if f, err = os.CreateTemp(s.dir, tmp); err != nil {
		return nil, err
	}
	defer func() {
		_ = os.Remove(f.Name()) // where it cannot be while it is open, the next start does
		if err != nil {
			_ = f.Close()
		}
	}()
	n, err := io.Copy(f, io.LimitReader(from, b.Size+1))
	if err == nil && n != b.Size {
		err = fmt.Errorf("the store gave %d bytes, not %d", n, b.Size)
	}
	return f, err
}

// removeAll removes a folder whose folders may be read-only.
func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil // what cannot be reached cannot be removed, which is told
	})
	return os.RemoveAll(dir)
}

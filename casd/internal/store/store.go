package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("not here")
	ErrDamaged  = errors.New("damaged on this disk")
	ErrMismatch = errors.New("the bytes do not have the digest that was announced")
)

// MaxChunks is the most chunks of a blob: 64 GiB in chunks of 1 MiB, as many as
// an index of [api.MaxBlobIndex] can list.
const MaxChunks = 64 << 10

// Names in the store's folder.
const (
	dirBlobs   = "blobs"
	dirChunks  = "chunks"
	dirCorrupt = "corrupt"
	dirTemp    = "tmp"
	extWhole   = ".json"
	extPart    = ".part"
)

// Store is a folder of blobs. It is safe for use by several goroutines.
type Store struct {
	dir       string
	log       *slog.Logger
	maxChunks int       // of one blob
	buffers   sync.Pool // of *buffer
	temp      atomic.Uint64
	room      Room

	// mu guards which names exist under chunks and blobs: it is held while a name
	// appears, disappears or is relied upon to stay.
	mu     sync.Mutex
	stats  Stats              // guarded by mu
	leases map[api.Digest]int // guarded by mu
}

// Stats counts what a store holds and has met.
type Stats struct {
	Blobs   int64 // whole ones
	Chunks  int64
	Bytes   int64 // of the chunks
	Partial int64 // blobs that lack chunks
	Logical int64 // bytes of all whole blobs, as if nothing were shared
	Corrupt int64 // chunks that failed their check since the start

	Reserved int64 // bytes that writers were promised room for, and have not written
	Staged   int64 // bytes of chunks that are written, and not yet counted in Bytes
}

type buffer [api.MaxChunk]byte

// New returns the store in dir. It touches nothing; [Store.Recover] comes first.
// Without room, the disk's free space alone is looked at.
func New(dir string, log *slog.Logger, room Room) *Store {
	if room == nil {
		room = onDisk(dir)
	}
	return &Store{dir: dir, log: log, room: room, leases: map[api.Digest]int{}, maxChunks: MaxChunks, buffers: sync.Pool{New: func() any { return new(buffer) }}}
}

// Recover makes the folders, throws away what a crash left half-written and
// counts what is there. It must return before anything else is called.
func (s *Store) Recover() error {
	if err := s.reopen(); err != nil {
		return fmt.Errorf("recover blobs: %w", err)
	}
	return nil
}

func (s *Store) reopen() error {
	if err := os.RemoveAll(s.path(dirTemp)); err != nil {
		return err
	}
	if err := s.makeFolders(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	blobs := int64(0)
	sizes := map[api.Digest]int64{} // of the chunks that an index lists
	err := s.eachIndex(func(_ string, idx api.BlobIndex, whole bool) error {
		if whole {
			blobs++
		}
		for _, c := range idx.Chunks {
			sizes[c.SHA256] = c.Size
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.stats = Stats{Blobs: blobs}
	return s.eachFile(dirChunks, func(path, name string) error {
		d, err := api.ParseDigest(name)
		size, listed := sizes[d]
		if err != nil || !listed {
			return os.Remove(path)
		}
		s.stats.Chunks++
		s.stats.Bytes += size
		return nil
	})
}

// makeFolders makes all folders once, so that no write has to sync a new one.
func (s *Store) makeFolders() error {
	for _, kind := range []string{dirBlobs, dirChunks} {
		for i := range 256 {
			if err := os.MkdirAll(s.path(kind, fmt.Sprintf("%02x", i)), 0o700); err != nil {
				return err
			}
		}
		if err := atomicfile.SyncDir(s.path(kind)); err != nil {
			return err
		}
	}
	for _, kind := range []string{dirCorrupt, dirTemp} {
		if err := os.MkdirAll(s.path(kind), 0o700); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(s.dir)
}

// Stats returns the counts as they are now.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Blobs lists the blobs that are here, whole, in the order of their digests.
func (s *Store) Blobs() ([]api.Digest, error) {
	var out []api.Digest
	err := s.eachFile(dirBlobs, func(_, name string) error {
		base, whole := strings.CutSuffix(name, extWhole)
		if d, err := api.ParseDigest(base); whole && err == nil {
			out = append(out, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	return out, nil
}

// eachFile calls fn for every file below one of the two-level folders. A file
// that goes away meanwhile may be seen or not.
func (s *Store) eachFile(kind string, fn func(path, name string) error) error {
	for i := range 256 {
		dir := s.path(kind, fmt.Sprintf("%02x", i))
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := fn(filepath.Join(dir, e.Name()), e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// folder is where files named after d lie.
func (s *Store) folder(kind string, d api.Digest) string { return s.path(kind, d.String()[:2]) }

func (s *Store) chunkPath(d api.Digest) string {
	return filepath.Join(s.folder(dirChunks, d), d.String())
}

func (s *Store) indexPath(d api.Digest, ext string) string {
	return filepath.Join(s.folder(dirBlobs, d), d.String()+ext)
}

// tempPath is a new name under tmp.
func (s *Store) tempPath() string { return s.path(dirTemp, fmt.Sprintf("f%d", s.temp.Add(1))) }

// moveAside keeps a file that failed its check, out of everybody's way.
func (s *Store) moveAside(path string) error {
	return os.Rename(path, s.path(dirCorrupt, filepath.Base(path)))
}

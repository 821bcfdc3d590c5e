package store

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("not here")
	ErrDamaged  = errors.New("damaged on this disk")
	ErrMismatch = errors.New("the bytes are not those that were announced")
)

// Names in the store's folder.
const (
	dirBlobs   = "blobs"
	dirChunks  = "chunks"
	dirCorrupt = "corrupt"
	dirTemp    = "tmp"
)

// Store is a folder of blobs. It is safe for use by several goroutines.
type Store struct {
	dir     string
	log     *slog.Logger
	room    Room
	maxBlob int64 // bytes
	temp    atomic.Uint64
	aside   atomic.Int64 // files under corrupt, more or less
	chunks  table
	// nameless: files may be made without a name here; set by Recover.
	nameless bool
	dirty    dirty
	buffers  sync.Pool // of *buffer
	slabs    sync.Pool // of *slab
	spare    budget    // buffers beyond what each put and reader needs

	onDamage func(blobs []api.Digest) // nil: nobody asks

	// names is held while an index appears, disappears or changes its state. A chunk's
	// file does so under the lock of its shard in chunks.
	names sync.Mutex

	// mu guards the counts below. It is the innermost lock.
	mu     sync.Mutex
	stats  Stats
	leases map[api.Digest]int
}

// Stats counts what a store holds and has met.
type Stats struct {
	Blobs   int64 // whole ones
	Partial int64 // blobs that lack chunks
	Damaged int64 // of those, the ones that were whole
	Chunks  int64
	Bytes   int64 // of the chunks
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
	s := &Store{dir: dir, log: log, room: room, maxBlob: api.MaxBlob, leases: map[api.Digest]int{},
		buffers: sync.Pool{New: func() any { return new(buffer) }},
		slabs:   sync.Pool{New: func() any { return new(slab) }}}
	s.spare.left.Store(spareBuffers)
	return s
}

// Stats returns the counts as they are now.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// count changes the counts.
func (s *Store) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// folder is where files named after d lie.
func (s *Store) folder(kind string, d api.Digest) string { return s.path(kind, d.String()[:2]) }

func (s *Store) chunkPath(d api.Digest) string {
	name := d.String()
	return s.path(dirChunks, name[:2], name)
}

func (s *Store) indexPath(d api.Digest, ext string) string {
	name := d.String()
	return s.path(dirBlobs, name[:2], name+ext)
}

// tempPath is a new name under tmp.
func (s *Store) tempPath() string { return s.path(dirTemp, fmt.Sprintf("f%d", s.temp.Add(1))) }

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

const (
	// syncSingly is up to how many files are synced one by one. More take less long
	// together with all else that waits to be written to their file system.
	syncSingly = 16
	// syncAtOnce is how many of them side by side: a journal commits them together.
	syncAtOnce = 8
	// maxDirty is how many chunks may wait to be synced: a bound for the memory that
	// they take here, and for how long the next acknowledgement has to wait.
	maxDirty = 16384
)

// dirty are the chunks that may not be on disk yet, or not under their names. Chunks
// are not synced as they are written; they are before a blob is acknowledged that
// lists them, whoever wrote them.
type dirty struct {
	mu     sync.Mutex
	chunks map[api.Digest]uint64 // -> number of the write, in order
	writes uint64
}

func (w *dirty) add(chunks ...api.Digest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.chunks == nil {
		w.chunks = map[api.Digest]uint64{}
	}
	for _, d := range chunks {
		w.writes++
		w.chunks[d] = w.writes
	}
}

func (w *dirty) drop(d api.Digest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.chunks, d)
}

func (w *dirty) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.chunks)
}

// among returns those of the chunks that are dirty.
func (w *dirty) among(chunks []api.BlobInfo) map[api.Digest]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[api.Digest]uint64{}
	for _, c := range chunks {
		if n, ok := w.chunks[c.SHA256]; ok {
			out[c.SHA256] = n
		}
	}
	return out
}

func (w *dirty) all() map[api.Digest]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.chunks)
}

// done forgets what has been synced, unless it was written once more since.
func (w *dirty) done(chunks map[api.Digest]uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d, n := range chunks {
		if w.chunks[d] == n {
			delete(w.chunks, d)
		}
	}
}

// settle makes the file of an index durable, and its chunks, too, if the blob is whole.
func (s *Store) settle(ctx context.Context, chunks []api.BlobInfo, index string, whole bool) error {
	if whole {
		if err := s.sync(ctx, s.dirty.among(chunks)); err != nil {
			return err
		}
	}
	return syncFile(index)
}

// settleAll makes all chunks durable.
func (s *Store) settleAll(ctx context.Context) error { return s.sync(ctx, s.dirty.all()) }

// sync makes chunks durable, under their names.
func (s *Store) sync(ctx context.Context, chunks map[api.Digest]uint64) error {
	err := errors.ErrUnsupported
	if len(chunks) > syncSingly {
		err = syncAll(s.dir)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = s.syncEach(ctx, chunks)
	}
	if err != nil {
		return fmt.Errorf("sync chunks: %w", err)
	}
	s.dirty.done(chunks)
	return nil
}

// syncEach syncs file by file, then the folders.
func (s *Store) syncEach(ctx context.Context, chunks map[api.Digest]uint64) error {
	var files []string
	folders := map[string]bool{}
	for d := range chunks {
		path := s.chunkPath(d)
		folders[filepath.Dir(path)] = true
		files = append(files, path)
	}
	if err := sideBySide(ctx, files, flushFile); err != nil {
		return err
	}
	if err := sideBySide(ctx, slices.Collect(maps.Keys(folders)), flushFolder); err != nil {
		return err
	}
	if len(files) == 0 {
		return nil
	}
	return atomicfile.SyncDir(s.dir) // the disk itself, where flushing leaves it out
}

func sideBySide(ctx context.Context, paths []string, sync func(string) error) error {
	var g errgroup.Group
	g.SetLimit(syncAtOnce)
	for _, p := range paths {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			// A chunk that has gone since is found missing under the lock of the names.
			if err := sync(p); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// Recover makes the folders, throws away what a crash left half-written and
// counts what is there. It must return before anything else is called.
func (s *Store) Recover() error {
	if err := s.reopen(context.Background()); err != nil {
		return fmt.Errorf("recover blobs: %w", err)
	}
	return nil
}

func (s *Store) reopen(ctx context.Context) error {
	if err := os.RemoveAll(s.path(dirTemp)); err != nil {
		return err
	}
	if err := s.makeFolders(); err != nil {
		return err
	}
	s.nameless = s.tryNameless()
	aside, err := os.ReadDir(s.path(dirCorrupt))
	if err != nil {
		return err
	}
	s.aside.Store(int64(len(aside)))
	var parts unfinished
	if err := eachFolder(func(i int) error { return s.recount(ctx, i, &parts) }); err != nil {
		return err
	}
	vanished := make([]bool, len(s.chunks))
	if err := eachFolder(func(i int) (err error) { vanished[i], err = s.sweep(i); return err }); err != nil {
		return err
	}
	if err := s.demoteVanished(vanished); err != nil {
		return err
	}
	// What was fetched may not be on disk yet, if the process was killed; the machine
	// may still fail.
	s.dirty.add(parts.chunks...)
	return s.settleAll(ctx)
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

// eachFolder calls fn for 0 to 255, some at a time.
func eachFolder(fn func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i := range 256 {
		g.Go(func() error { return fn(i) })
	}
	return g.Wait()
}

// unfinished are the chunks that partial blobs list.
type unfinished struct {
	mu     sync.Mutex
	chunks []api.Digest
}

func (u *unfinished) add(idx api.BlobIndex) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range idx.Chunks {
		u.chunks = append(u.chunks, c.SHA256)
	}
}

// recount reads the indexes in a folder and counts what they list.
func (s *Store) recount(ctx context.Context, folder int, parts *unfinished) error {
	seen := map[api.Digest]bool{}
	return s.eachFile(dirBlobs, folder, func(path, name string) error {
		ext := filepath.Ext(name)
		d, err := api.ParseDigest(strings.TrimSuffix(name, ext))
		if err != nil || !slices.Contains([]string{extWhole, extOld, extLost, extPart}, ext) {
			return s.moveAside(path)
		}
		if seen[d] { // killed in the middle of a change: the first in the order of the names counts
			return os.Remove(path)
		}
		if ext == extOld || ext == extPart {
			if path, err = s.migrate(ctx, path, d); err != nil || path == "" {
				return err
			}
			ext = filepath.Ext(path)
		}
		idx, _, err := s.readIndex(path, d)
		if errors.Is(err, ErrDamaged) {
			return s.retire(path, err)
		}
		if err != nil {
			return err
		}
		seen[d] = true
		s.recountChunks(idx, ext == extWhole)
		s.count(func(st *Stats) { st.add(ext, idx.Size, 1) })
		if ext != extWhole {
			parts.add(idx)
		}
		return nil
	})
}

func (s *Store) recountChunks(idx api.BlobIndex, whole bool) {
	for _, c := range idx.Chunks {
		sh, key := s.chunks.lock(c.SHA256)
		r, ok := sh.refs[key]
		if !ok || whole { // that of a partial blob may lie about sizes
			r.size = uint32(c.Size) | r.size&flagWanted
		}
		if whole {
			r.size |= flagWanted
		}
		r.listed++
		sh.set(key, r)
		sh.mu.Unlock()
	}
}

// sweep looks at the files of a folder of chunks and removes those that no index lists.
// It reports whether one is missing that a whole blob lists.
func (s *Store) sweep(folder int) (vanished bool, err error) {
	sh := &s.chunks[folder]
	err = s.eachFile(dirChunks, folder, func(path, name string) error {
		d, err := api.ParseDigest(name)
		if err != nil || int(d[0]) != folder {
			return os.RemoveAll(path)
		}
		_, key := s.chunks.lock(d)
		defer sh.mu.Unlock()
		r, ok := sh.refs[key]
		if !ok {
			return os.Remove(path)
		}
		r.size |= flagHere
		sh.refs[key] = r
		s.count(func(st *Stats) { st.Chunks++; st.Bytes += r.bytes() })
		return nil
	})
	for key, r := range sh.refs {
		if r.size&flagWanted != 0 && !r.here() {
			vanished = true
		}
		r.size &^= flagWanted
		sh.refs[key] = r
	}
	return vanished, err
}

// demoteVanished makes whole blobs damaged ones that list a chunk in one of these
// folders which has no file.
func (s *Store) demoteVanished(folders []bool) error {
	for _, vanished := range folders {
		if vanished {
			return s.eachIndex(func(e entry) error {
				for _, c := range e.idx.Chunks {
					if e.ext == extWhole && folders[c.SHA256[0]] && !s.chunks.here(c.SHA256) {
						return s.markLost(e)
					}
				}
				return nil
			})
		}
	}
	return nil
}

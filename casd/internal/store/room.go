package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Room is asked before n bytes are written, which are counted in [Stats.Reserved] or
// [Stats.Staged] by then. It makes room for them or returns an error that wraps [disk.ErrFull] and says
// what is missing. With n = 0 only the disk's own reserve matters, for what is not
// counted, such as indexes. With refused, the disk has just turned a write away,
// whatever it says about its free space. Room may call the store, and answers fast while there is
// room: it may be asked for each chunk.
type Room func(ctx context.Context, n int64, refused bool) error

// Reservation is room that a writer was promised: others that reserve meanwhile know of
// it, so that all together do not write more than fits. It is safe for use by several
// goroutines.
type Reservation struct {
	store  *Store
	left   int64 // promised, not written; guarded by store.mu
	staged int64 // written, not placed; guarded by store.mu
}

// Reserve promises room for n bytes, else returns what [Room] says. The caller
// releases it.
//
// A fetch reserves all that it misses before it starts, and gives each chunk back
// right before [Store.PutChunk], which reserves for itself.
func (s *Store) Reserve(ctx context.Context, n int64) (*Reservation, error) {
	r := &Reservation{store: s}
	r.count(n, 0)
	if err := s.room(ctx, n, false); err != nil {
		r.Release()
		return nil, err
	}
	return r, nil
}

// count adds to what is promised and what is staged.
func (r *Reservation) count(left, staged int64) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.add(left, staged)
}

// add is count with store.mu held.
func (r *Reservation) add(left, staged int64) {
	r.left += left
	r.staged += staged
	r.store.stats.Reserved += left
	r.store.stats.Staged += staged
}

// Give gives back up to n bytes that are not going to be written under this promise.
func (r *Reservation) Give(n int64) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.add(-min(n, r.left), 0)
}

// Release ends the promise.
func (r *Reservation) Release() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.add(-r.left, -r.staged)
}

// stage counts n bytes as written, under tmp. What the promise lacks for them is asked
// for now.
func (r *Reservation) stage(ctx context.Context, n int64) error {
	r.store.mu.Lock()
	missing := max(n-r.left, 0)
	r.add(missing-n, n)
	r.store.mu.Unlock()
	if missing == 0 {
		return nil
	}
	err := r.store.room(ctx, missing, false)
	if err != nil {
		r.count(n-missing, -n)
	}
	return err
}

// write writes and syncs a new file under tmp, which r counts from now on.
func (r *Reservation) write(ctx context.Context, path string, b []byte) error {
	if err := r.stage(ctx, int64(len(b))); err != nil {
		return err
	}
	return r.store.write(ctx, path, b)
}

// write writes and syncs a new file. Where the disk refuses it, room is made, and the
// write tried once more.
func (s *Store) write(ctx context.Context, path string, b []byte) error {
	err := writeNew(path, b)
	if !disk.IsFull(err) {
		return err
	}
	if err := s.room(ctx, 0, true); err != nil {
		return err
	}
	if err = writeNew(path, b); disk.IsFull(err) {
		return fmt.Errorf("%w: %w: free some space there", disk.ErrFull, err)
	}
	return err
}

// writeNew writes and syncs a file that is not there yet, or leaves none.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Room says whether bytes may be written, and makes room for them. For n = 0 only the
// disk's own reserve matters: what is written is not counted, such as an index.
type Room interface {
	// Fits reports whether n bytes may be written beside those that st counts. The
	// store is locked meanwhile: Fits is fast, and does not call it.
	Fits(st Stats, n int64) bool
	// Make has n bytes fit, or returns an error that wraps [disk.ErrFull] and says what
	// is missing. With refused, the disk has just turned a write away, whatever it says
	// about its free space. Make may call the store.
	Make(ctx context.Context, n int64, refused bool) error
}

// onDisk is room without other bounds than the disk's.
type onDisk string

func (dir onDisk) Fits(st Stats, n int64) bool {
	return disk.Room(string(dir), st.Reserved+n, disk.ReserveBulk) == nil
}

func (dir onDisk) Make(_ context.Context, n int64, _ bool) error {
	return disk.Room(string(dir), n, disk.ReserveBulk)
}

// stolen is how often others may take the room that was made for a writer.
const stolen = 100

// Reservation is room that a writer was promised: others that reserve meanwhile know of
// it, so that all together do not write more than fits. It is safe for use by several
// goroutines.
type Reservation struct {
	store  *Store
	left   int64  // promised, not written; guarded by store.mu
	staged int64  // written, not placed; guarded by store.mu
	trial  *trial // nil: it is none
}

// Reserve promises room for n bytes, or says why there is none. The caller releases it.
//
// A fetch reserves all that it misses before it starts, and stores the chunks out of
// that by [Reservation.PutChunk].
func (s *Store) Reserve(ctx context.Context, n int64) (*Reservation, error) {
	r := &Reservation{store: s}
	if err := r.grow(ctx, n); err != nil {
		return nil, err
	}
	return r, nil
}

// grow adds n bytes to the promise, once they fit.
func (r *Reservation) grow(ctx context.Context, n int64) error {
	for range stolen {
		if r.claim(n) {
			return nil
		}
		var err error
		if n, err = r.make(ctx, n); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: others take what room there is: try again", disk.ErrFull)
}

func (r *Reservation) claim(n int64) bool {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if !r.store.room.Fits(r.store.stats, n) {
		return false
	}
	r.add(n, 0)
	return true
}

// add counts what is promised and what is staged. store.mu is held.
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
	r.trial.pass(0, n)
}

// PutChunk is [Store.PutChunk] out of what was promised.
func (r *Reservation) PutChunk(c api.BlobInfo, b []byte) error {
	if err := r.store.putChunk(context.Background(), c, b, r); err != nil {
		return fmt.Errorf("put chunk %s: %w", c.SHA256.Short(), err)
	}
	return nil
}

// Release ends the promise.
func (r *Reservation) Release() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.add(-r.left, -r.staged)
}

// stage counts n bytes as written, under tmp. What the promise lacks for them is added.
func (r *Reservation) stage(ctx context.Context, n int64) error {
	for {
		missing := r.move(n)
		if missing == 0 {
			return nil
		}
		if err := r.grow(ctx, missing); err != nil {
			return err
		}
	}
}

// move counts n promised bytes as staged, unless some are missing.
func (r *Reservation) move(n int64) (missing int64) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if r.left < n {
		return n - r.left
	}
	r.add(-n, n)
	r.trial.pass(n, 0)
	return 0
}

// hasRoom makes sure of the disk's reserve, for what is not counted.
func (s *Store) hasRoom(ctx context.Context) error {
	r, err := s.Reserve(ctx, 0)
	if err == nil {
		r.Release()
	}
	return err
}

// write writes a new file, not synced.
func (s *Store) write(ctx context.Context, path string, content func(*os.File) error) error {
	return s.making(ctx, func() error { return writeNew(path, content) })
}

// making calls write. Where the disk refuses it, room is made, and the write tried once
// more.
func (s *Store) making(ctx context.Context, write func() error) error {
	err := write()
	if !disk.IsFull(err) {
		return err
	}
	if err := s.room.Make(ctx, 0, true); err != nil {
		return err
	}
	if err = write(); disk.IsFull(err) {
		return fmt.Errorf("%w: %w: free some space there", disk.ErrFull, err)
	}
	return err
}

// writeNew writes a file that is not there yet, or leaves none.
func writeNew(path string, content func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(content(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

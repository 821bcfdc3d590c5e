package runnerd

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// records writes what this node says of its executions into the bucket of jobs, which is
// on disk, and from where meshd takes it to the others. Of one execution the newest
// record is written, not each on the way there; none is lost while the bus is away.
type records struct {
	bucket bucket
	log    *slog.Logger
	wake   chan struct{}

	mu    sync.Mutex
	puts  map[string][]byte // to be written, by key
	queue []string          // their keys, in the order in which they came, and those to be deleted
}

func newRecords(b bucket, log *slog.Logger) *records {
	return &records{bucket: b, log: log, wake: make(chan struct{}, 1), puts: map[string][]byte{}}
}

// Put has a signed record of this node's be written.
func (r *records) Put(e api.Exec, raw []byte) {
	r.mu.Lock()
	key := api.KeyRecord(e)
	if _, queued := r.puts[key]; !queued {
		r.queue = append(r.queue, key)
	}
	r.puts[key] = raw
	r.mu.Unlock()
	r.rouse()
}

func (r *records) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// lastTry is how long records may take that are left when the daemon ends.
const lastTry = 2 * time.Second

// last writes what is left.
func (r *records) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTry)
	defer cancel()
	for ctx.Err() == nil && r.waiting() > 0 {
		if r.flush(ctx) == retryPause {
			return // the bus has gone before; results are on disk, too
		}
	}
}

// waiting is how many records are to be written.
func (r *records) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue)
}

// write brings records into the bucket until ctx ends.
func (r *records) write(ctx context.Context) error {
	defer r.last(context.WithoutCancel(ctx))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.flush(ctx)):
		}
	}
}

// flush writes the first of what is to be written, and says how long to wait before the next.
func (r *records) flush(ctx context.Context) time.Duration {
	keys, puts := r.take()
	if len(keys) == 0 {
		return 0
	}
	try, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	err := r.bucket.Apply(try, puts, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("write records of jobs", telemetry.Error(err))
		}
		r.putBack(keys, puts)
		r.rouse()
		return retryPause
	}
	if len(r.queue) > 0 {
		r.rouse()
	}
	return writePause
}

func (r *records) take() (keys []string, puts map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), writeMost)
	keys, r.queue = r.queue[:n:n], r.queue[n:]
	puts = make(map[string][]byte, n)
	for _, key := range keys {
		puts[key] = r.puts[key]
		delete(r.puts, key)
	}
	return keys, puts
}

// putBack has keys be written after all, unless something newer is; r.mu is held.
func (r *records) putBack(keys []string, puts map[string][]byte) {
	for _, key := range keys {
		if _, newer := r.puts[key]; !newer {
			r.puts[key] = puts[key]
			r.queue = append(r.queue, key)
		}
	}
}

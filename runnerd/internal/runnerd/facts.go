package runnerd

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	removedFor = time.Minute            // how long a fact tells that a workload was removed
	writeTry   = 5 * time.Second        // one write to the bucket
	retryPause = 200 * time.Millisecond // after one that failed
	// Whatever is written goes to all members: in bursts it has to keep to a rate, of
	// writeMost facts in each writePause.
	writeMost  = 64
	writePause = 25 * time.Millisecond
)

// bucket is what facts needs of a [bus.Bucket].
type bucket interface {
	Apply(ctx context.Context, puts map[string][]byte, deletes []string) error
	Watch(ctx context.Context, pattern string, fn func(bus.Event) error) error
}

// facts writes where this node stands with its workloads into the bucket, where
// the gateway, the CLI and, through meshd, the mesh read it. The newest fact of a
// workload is written, not each on the way there, and again whenever the bucket,
// which is in memory, has lost it.
type facts struct {
	bucket bucket
	self   api.PeerID
	log    *slog.Logger
	wake   chan struct{}
	// changed is told of every fact and of the one before it, in their order for each
	// workload. It must not block.
	changed func(was, is api.WorkloadFact)

	mu    sync.Mutex
	all   map[string]*entry // by key of the bucket
	queue []string          // keys to be written, each once; to be deleted, if no entry is there
}

type entry struct {
	fact   api.WorkloadFact
	value  []byte
	queued bool
	until  time.Time // when its key goes; zero: never
}

func newFacts(b bucket, self api.PeerID, log *slog.Logger) *facts {
	return &facts{bucket: b, self: self, log: log, wake: make(chan struct{}, 1), all: map[string]*entry{},
		changed: func(_, _ api.WorkloadFact) {}}
}

// Set implements [workload.Facts].
func (f *facts) Set(fact api.WorkloadFact) {
	value, err := json.Marshal(fact)
	if err == nil {
		err = fact.Validate()
	}
	if err != nil {
		f.log.Error("tell a fact", telemetry.KeyWorkload, fact.String(), telemetry.Error(err))
		return
	}
	e := &entry{fact: fact, value: value}
	if fact.State == api.StateRemoved {
		e.until = time.Now().Add(removedFor)
	}
	f.changed(f.put(e), fact)
}

// put has e be written, and returns what was told before.
func (f *facts) put(e *entry) (was api.WorkloadFact) {
	key := api.KeyWorkload(e.fact.Ref, f.self)
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.all[key]; old != nil {
		was, e.queued = old.fact, old.queued
	}
	f.all[key] = e
	f.enqueue(key, e)
	return was
}

// enqueue has e be written; f.mu is held.
func (f *facts) enqueue(key string, e *entry) {
	if !e.queued {
		e.queued = true
		f.queue = append(f.queue, key)
	}
	f.rouse()
}

func (f *facts) rouse() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// write keeps the bucket as the facts are, until ctx ends.
func (f *facts) write(ctx context.Context) error {
	sweep := time.NewTicker(removedFor / 4)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case now := <-sweep.C:
			f.expire(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.flush(ctx)):
		}
	}
}

// expire has the keys go whose time is over.
func (f *facts) expire(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, e := range f.all {
		if e.expired(now) {
			f.enqueue(key, e)
		}
	}
}

func (e *entry) expired(now time.Time) bool { return !e.until.IsZero() && now.After(e.until) }

// batch is what is written together.
type batch struct {
	keys    []string
	puts    map[string][]byte
	deletes []string
	gone    map[string]*entry // whose keys are deleted
}

// flush writes the first of what is to be written, and says how long to wait before
// the next.
func (f *facts) flush(ctx context.Context) time.Duration {
	b := f.take(time.Now())
	if len(b.keys) == 0 {
		return 0
	}
	try, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	err := f.bucket.Apply(try, b.puts, b.deletes)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			f.log.Warn("tell facts", telemetry.Error(err))
		}
		f.putBack(b.keys)
		return retryPause
	}
	for key, e := range b.gone {
		if f.all[key] == e {
			delete(f.all, key)
		}
	}
	if len(f.queue) > 0 {
		f.rouse()
	}
	return writePause
}

// take removes up to writeMost keys from the queue.
func (f *facts) take(now time.Time) batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.queue), writeMost)
	b := batch{keys: f.queue[:n:n], puts: map[string][]byte{}, gone: map[string]*entry{}}
	f.queue = f.queue[n:]
	for _, key := range b.keys {
		e := f.all[key]
		if e != nil {
			e.queued = false
		}
		switch {
		case e == nil:
			b.deletes = append(b.deletes, key)
		case e.expired(now):
			b.deletes = append(b.deletes, key)
			b.gone[key] = e
		default:
			b.puts[key] = e.value
		}
	}
	return b
}

// putBack has keys be written after all; f.mu is held.
func (f *facts) putBack(keys []string) {
	for _, key := range keys {
		if e := f.all[key]; e == nil {
			f.queue = append(f.queue, key)
		} else {
			f.enqueue(key, e)
		}
	}
	f.rouse()
}

// watch compares the bucket with the facts whenever it begins anew: keys of this
// node that it knows nothing of go, facts that are missing there are written again.
func (f *facts) watch(ctx context.Context) error {
	seen := map[string][]byte{}
	fresh := false // between Reset and Synced
	return f.bucket.Watch(ctx, "*.*."+string(f.self), func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Reset:
			clear(seen)
			fresh = true
		case bus.Put:
			if fresh {
				seen[ev.Key] = ev.Value
			}
		case bus.Synced:
			fresh = false
			f.compare(seen)
		case bus.Deleted:
		}
		return nil
	})
}

func (f *facts) compare(seen map[string][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range seen {
		if f.all[key] == nil {
			f.queue = append(f.queue, key)
		}
	}
	for key, e := range f.all {
		if !bytes.Equal(seen[key], e.value) {
			f.enqueue(key, e)
		}
	}
	f.rouse()
}

// counts is how many workloads are in each state, for the metrics.
func (f *facts) counts() map[api.State]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[api.State]int{}
	for _, e := range f.all {
		out[e.fact.State]++
	}
	return out
}

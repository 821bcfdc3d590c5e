package runnerd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	removedFor = time.Minute            // how long a fact tells that a workload was removed
	writeTry   = 2 * time.Second        // one write to the bucket
	writePause = 200 * time.Millisecond // after one that failed
)

// bucket is what facts needs of a [bus.Bucket].
type bucket interface {
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
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

	mu  sync.Mutex
	all map[string]*entry // by key of the bucket
}

type entry struct {
	fact  api.WorkloadFact
	value []byte
	dirty bool      // to be written
	until time.Time // when its key goes; zero: never
}

func newFacts(b bucket, self api.PeerID, log *slog.Logger) *facts {
	return &facts{bucket: b, self: self, log: log, wake: make(chan struct{}, 1), all: map[string]*entry{}}
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
	e := &entry{fact: fact, value: value, dirty: true}
	if fact.State == api.StateRemoved {
		e.until = time.Now().Add(removedFor)
	}
	f.mu.Lock()
	f.all[api.KeyWorkload(fact.Ref, f.self)] = e
	f.mu.Unlock()
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
	for {
		next := f.flush(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-f.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// flush writes what has to be and says when to look again at the latest.
func (f *facts) flush(ctx context.Context) time.Duration {
	for key, e := range f.due(time.Now()) {
		if err := f.put(ctx, key, e); err != nil {
			if ctx.Err() == nil {
				f.log.Warn("tell a fact", "key", key, telemetry.Error(err))
			}
			return writePause
		}
	}
	return removedFor / 4
}

// due are the entries to be written or deleted now.
func (f *facts) due(now time.Time) map[string]*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]*entry{}
	for key, e := range f.all {
		if e.dirty || e.expired(now) {
			out[key] = e
		}
	}
	return out
}

func (e *entry) expired(now time.Time) bool { return !e.until.IsZero() && now.After(e.until) }

func (f *facts) put(ctx context.Context, key string, e *entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	gone := e.expired(time.Now())
	var err error
	if gone {
		err = f.bucket.Delete(ctx, key)
	} else {
		err = f.bucket.Put(ctx, key, e.value)
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e.dirty = false
	if gone && f.all[key] == e {
		delete(f.all, key)
	}
	return nil
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
			return f.compare(ctx, seen)
		case bus.Deleted:
		}
		return nil
	})
}

func (f *facts) compare(ctx context.Context, seen map[string][]byte) error {
	var stale []string
	f.mu.Lock()
	for key := range seen {
		if f.all[key] == nil {
			stale = append(stale, key)
		}
	}
	for key, e := range f.all {
		if !bytes.Equal(seen[key], e.value) {
			e.dirty = true
		}
	}
	f.mu.Unlock()
	f.rouse()
	for _, key := range stale {
		if err := f.drop(ctx, key); err != nil && ctx.Err() == nil {
			// It stays until the next comparison; the watch must go on.
			f.log.Warn("remove a stale fact", "key", key, telemetry.Error(err))
		}
	}
	return nil
}

// drop deletes a key unless a fact has come for it.
func (f *facts) drop(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTry)
	defer cancel()
	if err := f.bucket.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.all[key]; e != nil { // written meanwhile, and now perhaps deleted
		e.dirty = true
		f.rouse()
	}
	return nil
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

package scrub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Config says how gently the background scrub goes, and what it needs of others.
type Config struct {
	File   string        // where it stands is kept here
	Period time.Duration // in which every chunk is read once
	Rate   int64         // bytes a second, at most
	Retry  time.Duration // between tries to mend what no member could give
	Lately time.Duration // what was used since then is worth mending

	// Fetch brings a blob from other members; size 0: not known.
	Fetch func(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error)
	// Wanted reports whether a blob is worth mending however long ago it was used.
	Wanted func(blob api.Digest) bool
	// Pinned lists what is worth mending even if nothing of it is here any more.
	Pinned func() []api.Digest
}

// Limits of a step in the background.
const (
	perStep   = 8           // chunks
	firstStep = time.Second // at least between two steps
	lastStep  = time.Hour   // at most, so that a store that grows is noticed
)

// Scrubber scrubs a store. It is safe for use by several goroutines.
type Scrubber struct {
	cfg   Config
	store *store.Store
	log   *slog.Logger
	turn  chan struct{} // holds a token while somebody verifies
	wake  chan struct{} // holds a token while there is something in met

	// mu guards what follows.
	mu    sync.Mutex
	stats Stats
	met   map[api.Digest]struct{} // blobs that were found damaged by who read them
}

// Stats are totals since the start, but for Lost and Completed.
type Stats struct {
	Bytes     int64     // read and checked
	Damaged   int64     // blobs found damaged
	Mended    int64     // blobs that were brought again
	Lost      int64     // blobs that no member could give, as of the last try
	Completed time.Time // when every chunk had been read last; over restarts
}

// New returns a scrubber of s. [Scrubber.Load] comes before anything else.
func New(cfg Config, s *store.Store, log *slog.Logger) *Scrubber {
	return &Scrubber{cfg: cfg, store: s, log: log, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), met: map[api.Digest]struct{}{}}
}

// Stats returns what was done so far.
func (s *Scrubber) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Scrubber) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

// Run scrubs in the background, and mends what it is told of, until ctx ends.
func (s *Scrubber) Run(ctx context.Context) error { return task.Run(ctx, s.scrub, s.mendMet) }

func (s *Scrubber) scrub(ctx context.Context) error {
	defer idlePriority()()
	at := s.load()
	saved := at
	var retried time.Time
	for ctx.Err() == nil {
		if time.Since(retried) >= s.cfg.Retry {
			s.retry(ctx)
			retried = time.Now()
		}
		wait := firstStep
		read, err := s.step(ctx, &at)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Error("scrub the store", telemetry.Error(err))
			wait = lastStep
		case err == nil:
			wait = s.pace(read)
		}
		if at.due(saved) {
			s.save(at)
			saved = at
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	s.save(at)
	return nil
}

// step reads the next few chunks, mends what they show, and returns how much it read.
func (s *Scrubber) step(ctx context.Context, at *place) (read int64, err error) {
	next, read, damaged, err := s.store.Check(ctx, at.After, perStep)
	s.count(func(st *Stats) { st.Bytes += read })
	for _, d := range s.worth(s.found(damaged)) {
		s.mend(ctx, d)
	}
	if err != nil {
		return read, err
	}
	at.After, at.read = next, at.read+read
	if next.IsZero() {
		at.Completed = time.Now()
		s.completed(at.Completed)
		s.log.Info("read every chunk of the store", "bytes", s.store.Stats().Bytes)
	}
	return read, nil
}

func (s *Scrubber) completed(at time.Time) { s.count(func(st *Stats) { st.Completed = at }) }

// found counts and logs blobs that are damaged, each once.
func (s *Scrubber) found(damaged []api.Digest) (once []api.Digest) {
	seen := map[api.Digest]bool{}
	for _, d := range damaged {
		if seen[d] {
			continue
		}
		seen[d] = true
		once = append(once, d)
		s.log.Warn("the disk has damaged a blob", telemetry.KeyBlob, d.String())
	}
	s.count(func(st *Stats) { st.Damaged += int64(len(once)) })
	return once
}

// pace is how long to rest after reading so many bytes.
func (s *Scrubber) pace(read int64) time.Duration {
	byRate := time.Duration(float64(read) / float64(s.cfg.Rate) * float64(time.Second))
	byPeriod := lastStep
	if all := s.store.Stats().Bytes; all > 0 && read > 0 {
		byPeriod = min(time.Duration(float64(read)/float64(all)*float64(s.cfg.Period)), lastStep)
	}
	return max(byRate, byPeriod, firstStep)
}

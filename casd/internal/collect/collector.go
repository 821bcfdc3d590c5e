package collect

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/pins"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// References tells which blobs the realm needs, as far as this node knows.
type References interface {
	// Known reports whether anything is known: from meshd, or from what it said last.
	// If not, Needed and NeededHere mean nothing.
	Known() bool
	// Needed reports whether the realm needs a blob: an intent, a pin or one of the
	// last versions names it.
	Needed(blob api.Digest) bool
	// NeededHere reports whether it is needed and this node has to have it: as one of
	// its keepers, or because it runs something of it.
	NeededHere(blob api.Digest) bool
	// ConfirmElsewhere asks every keeper of a blob. It returns nil if each of them
	// says that it has it whole.
	ConfirmElsewhere(ctx context.Context, blob api.Digest) error
}

// Config bounds a store.
type Config struct {
	Dir   string        // of the store; its file system is the one that fills up
	Quota int64         // bytes of chunks
	Look  time.Duration // how often to look whether the store is full, or has outgrown its room
	// Confirm is how long a writer may wait for keepers to confirm what they have.
	Confirm time.Duration
}

// Collector decides what may go from a store. It is safe for use by several
// goroutines.
type Collector struct {
	cfg   Config
	store *store.Store
	refs  References
	pins  *pins.Pins
	log   *slog.Logger

	turn chan struct{} // holds a token while somebody collects
	wake chan struct{} // holds a token when a look is due
	keep sync.Mutex    // held while blobs are removed, or pinned

	full    atomic.Bool
	counts  counts
	measure measured
}

// counts are totals since the start.
type counts struct{ blobs, bytes, refused atomic.Int64 }

// New returns a collector of s, whose [store.Room] it is. Nothing
// happens by itself until [Collector.Run].
func New(cfg Config, s *store.Store, refs References, p *pins.Pins, log *slog.Logger) *Collector {
	return &Collector{cfg: cfg, store: s, refs: refs, pins: p, log: log,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// Run looks now and then, and after each collection, whether the store is full or has
// outgrown its room, until ctx ends. It calls changed, in this goroutine, whenever
// [Collector.Full] has changed.
func (c *Collector) Run(ctx context.Context, changed func(full bool)) error {
	tick := time.NewTicker(c.cfg.Look)
	defer tick.Stop()
	for {
		if err := c.look(ctx, changed); err != nil && ctx.Err() == nil {
			c.log.Error("look after the store's quota", telemetry.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.wake:
		}
	}
}

// Totals returns how many blobs were collected since the start, how many bytes that
// freed, and how often a writer was refused.
func (c *Collector) Totals() (blobs, bytes, refused int64) {
	return c.counts.blobs.Load(), c.counts.bytes.Load(), c.counts.refused.Load()
}

// Full reports whether this node can keep no more for the realm.
func (c *Collector) Full() bool { return c.full.Load() }

// soon has a look taken.
func (c *Collector) soon() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// begin waits for the turn to collect.
func (c *Collector) begin(ctx context.Context) (end func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

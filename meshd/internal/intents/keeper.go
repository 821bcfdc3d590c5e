package intents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Source is the way in which intents came.
type Source string

// The sources.
const (
	BySubmit    Source = "submit"    // made on this node, or on behalf of it
	ByGossip    Source = "gossip"    // from a member that told everybody
	BySync      Source = "sync"      // from a member that was asked
	ByHandshake Source = "handshake" // shown by a node that connects, or by this node itself
	ByEnroll    Source = "enroll"    // a node that this one has let in
	ByBus       Source = "bus"       // found in the projection
	ByTime      Source = "time"      // nothing came: the time of something has
)

// Errors of this package that callers branch on; see package ledger for others.
var (
	// ErrKnown: it is held already.
	ErrKnown = errors.New("it is known already")
	// ErrOvertaken: a submitted intent does not follow what is known.
	ErrOvertaken = errors.New("somebody has signed another version meanwhile")
)

// Config says what a Keeper works with.
type Config struct {
	Pin  trust.Pin
	Path string // of the log; the folder must exist
	// Now is the node's clock (package clock), which never goes back.
	Now func() time.Time
	// Room returns an error if n bytes should not be written now: the disk is full.
	Room func(n int64) error
	// Projection is what the node's other daemons read; nil: there is none.
	Projection Projection
	// Changed is told of all that has come into the set or gone from it, once it is on
	// disk, in that order. It must not block, nor call methods of the Keeper that add
	// something. nil: nobody is told.
	Changed func(by Source, c ledger.Change)
	Log     *slog.Logger
}

// Keeper holds the intents of a realm. Its methods are safe for use by several goroutines.
type Keeper struct {
	cfg    Config
	ledger *ledger.Ledger
	fresh  bool
	show   *projector

	mu    sync.Mutex
	queue []*request // that wait for the next commit

	timer chan struct{} // receives when the next time that matters may be another

	commits   sync.Mutex // one at a time; guards what follows
	journal   *journal
	live      int64 // bytes of the lines of what is held
	compactAt int64 // size of the log
	opaque    map[api.Digest]struct{}
	expires   map[api.Digest]time.Time
}

// Open reads the log at cfg.Path, which need not exist. The caller must call
// [Keeper.Run], and [Keeper.Close] after it.
func Open(cfg Config) (*Keeper, error) {
	if cfg.Changed == nil {
		cfg.Changed = func(Source, ledger.Change) {}
	}
	k := &Keeper{cfg: cfg, expires: map[api.Digest]time.Time{}, timer: make(chan struct{}, 1)}
	if err := k.load(); err != nil {
		return nil, fmt.Errorf("open intents: %w", err)
	}
	k.show = newProjector(k)
	return k, nil
}

// Run shows the node's daemons what counts, and looks after what ends or begins
// with time, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	return task.Run(ctx, k.show.run, k.watchTime)
}

// Fresh reports whether there was no log: the node has never held anything, or has
// lost it.
func (k *Keeper) Fresh() bool { return k.fresh }

// Ledger is the set. It is the same one as long as the Keeper lives; add to it
// through the Keeper alone.
func (k *Keeper) Ledger() *ledger.Ledger { return k.ledger }

// Close closes the log.
func (k *Keeper) Close() error {
	k.commits.Lock()
	defer k.commits.Unlock()
	return k.journal.close()
}

// track takes note of the size and the end of what has come and gone.
func (k *Keeper) track(c ledger.Change) {
	for _, s := range c.Added {
		k.live += lineSize(s)
		if !s.Expires.IsZero() {
			k.expires[s.Digest] = s.Expires
		}
	}
	for _, s := range c.Dropped {
		k.live -= lineSize(s)
		delete(k.expires, s.Digest)
	}
}

func lineSize(s intent.Signed) int64 { return int64(len(s.Envelope)) + 1 }

package fetch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// mendings is how often chunks that landed may turn out lost before the disk is
// given up.
const mendings = 3

var errPanicked = errors.New("the fetch has failed inside: see the log")

// transfer is a blob on its way here, for all who wait for it.
type transfer struct {
	*Fetcher
	blob   api.Digest
	size   int64 // as a caller knows it; 0: not at all
	began  time.Time
	lot    uint64 // see [api.Have]
	cancel context.CancelFunc
	done   chan struct{} // closed once info and err are set
	info   api.BlobInfo
	err    error
	ctx    context.Context //nolint:containedctx // ends with run; what is started on the way runs as long
	raised chan struct{}   // closed once somebody waits for it
	wake   chan struct{}   // holds a token when run should look again
	work   sync.WaitGroup

	starting sync.Mutex // held while a plan is made

	// mu guards what follows, and what is in plan and sources.
	mu      sync.Mutex
	callers int
	waited  int // of the callers, those that are not low
	ended   bool
	sources map[api.PeerID]*source
	queue   []*source     // that have not been asked yet
	sought  bool          // meshd has answered
	seekErr error         // why it has not, the last time
	reading chan struct{} // holds a token while nobody reads an index
	planned chan struct{} // closed once there is a plan
	index   api.Digest    // of the plan
	plan    *plan
	feed    *feed
	kin     *kin                // for the missing chunks of the plan; nil: there is none
	useless map[api.Digest]bool // indexes that led nowhere
	moved   time.Time           // when a chunk last landed, or the plan began
	meter   meter
	first   bool               // a chunk has landed
	room    *store.Reservation // for what is missing
	fatal   error              // this node's own trouble
}

func newTransfer(f *Fetcher, blob api.Digest, size int64) *transfer {
	now := time.Now()
	t := &transfer{Fetcher: f, blob: blob, size: size, began: now, lot: rand.Uint64N(math.MaxUint64) + 1, moved: now, done: make(chan struct{}), raised: make(chan struct{}),
		wake: make(chan struct{}, 1), sources: map[api.PeerID]*source{}, reading: make(chan struct{}, 1), planned: make(chan struct{}),
		useless: map[api.Digest]bool{}}
	t.reading <- struct{}{}
	t.meter.begin(now)
	return t
}

// enter adds a caller, unless all have gone already.
func (t *transfer) enter(low bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.callers++
	if !low {
		if t.waited++; t.waited == 1 {
			t.raise()
		}
	}
	return true
}

// raise tells that somebody waits. It is told once: who has waited may come again.
func (t *transfer) raise() {
	select {
	case <-t.raised:
	default:
		close(t.raised)
	}
}

// exit takes a caller away, and reports whether it was the last.
func (t *transfer) exit(low bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.callers--
	if !low {
		t.waited--
	}
	t.ended = t.callers == 0
	return t.ended
}

// weight is how much of the downloads this one gets beside others.
func (t *transfer) weight() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waited > 0 {
		return weightWaited
	}
	return weightLow
}

const (
	weightWaited = 16
	weightLow    = 1
)

// run fetches the blob, and returns when all that it has started has ended.
func (t *transfer) run(ctx context.Context) (info api.BlobInfo, err error) {
	lease := t.parts.Store.Lease(t.blob) // what has come is not collected meanwhile
	defer lease()
	defer t.hold(nil)
	ctx, cancel := context.WithCancel(ctx)
	defer t.work.Wait()
	defer cancel()
	defer func() { t.endFeed(err == nil) }()
	t.ctx = ctx
	err = task.Guard(ctx, func(ctx context.Context) error {
		release, err := t.slots.take(ctx, t.weight() == weightLow, t.raised)
		if err != nil {
			return err
		}
		defer release()
		info, err = t.swarm(ctx)
		return err
	})
	return info, err
}

// start runs fn beside run. A panic ends the transfer.
func (t *transfer) start(ctx context.Context, fn func(ctx context.Context)) {
	t.work.Go(func() {
		err := task.Guard(ctx, func(ctx context.Context) error { fn(ctx); return nil })
		if err != nil {
			t.parts.Log.Error("fetch failed inside", telemetry.KeyBlob, t.blob.String(), telemetry.Error(err))
			t.fail(localError{errPanicked})
		}
	})
}

// swarm looks after the sources until the blob is here, or cannot be had.
func (t *transfer) swarm(ctx context.Context) (api.BlobInfo, error) {
	if err := t.resume(); err != nil { //nolint:contextcheck // it waits for the disk alone
		return api.BlobInfo{}, err
	}
	t.start(ctx, t.seek)
	for mended := 0; ; {
		select {
		case <-ctx.Done():
			return api.BlobInfo{}, ctx.Err()
		case <-t.wake:
		case <-time.After(t.cfg.Stall / 4): // patience ends without an event
		}
		idx, all := t.whole()
		switch {
		case !all:
		case mended == mendings:
			return api.BlobInfo{}, localError{fmt.Errorf("chunks are lost as fast as they come: check the disk: %w", store.ErrDamaged)}
		default:
			done, err := t.complete(ctx, idx)
			if done || err != nil {
				return idx.BlobInfo, err
			}
			mended++
		}
		t.admit(ctx)
		if err := t.verdict(time.Now()); err != nil {
			return api.BlobInfo{}, err
		}
	}
}

// resume goes on from what an earlier fetch has left.
func (t *transfer) resume() error {
	idx, err := t.parts.Store.Partial(t.blob)
	if errors.Is(err, store.ErrNotFound) || err == nil && t.size > 0 && idx.Size != t.size {
		return nil
	}
	if err != nil {
		return localError{err}
	}
	return t.begin(idx, digest(idx))
}

// begin makes idx what is fetched.
func (t *transfer) begin(idx api.BlobIndex, name api.Digest) error {
	_, err := t.parts.Store.Partial(t.blob)
	anew := errors.Is(err, store.ErrNotFound)
	if err := t.parts.Store.Begin(idx); err != nil {
		return localError{err}
	}
	missing := t.parts.Store.Missing(idx)
	if err := t.reserve(missing); err != nil {
		if anew {
			err = errors.Join(err, t.parts.Store.Abandon(t.blob))
		}
		return localError{err}
	}
	kin := t.akin(idx, missing)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kin = kin
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // no secret
	t.plan = newPlan(idx, missing, t.lot, random, func(e event) { t.feed.add(e) })
	t.plan.busyFor = t.cfg.Busy
	t.index, t.feed = name, newFeed(name, t.lot, t.plan)
	t.moved = time.Now()
	close(t.planned)
	t.look()
	return nil
}

// whole reports whether all chunks are here, and of what.
func (t *transfer) whole() (api.BlobIndex, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.plan == nil {
		return api.BlobIndex{}, false
	}
	return t.plan.idx, t.plan.absent == 0
}

// complete makes the blob whole. It is not done when chunks have to be fetched again,
// or all by another index.
func (t *transfer) complete(ctx context.Context, idx api.BlobIndex) (done bool, err error) {
	err = t.parts.Store.Complete(ctx, idx)
	switch {
	case errors.Is(err, store.ErrDamaged):
		t.parts.Log.Warn("chunks that have come are lost; fetching them again", telemetry.KeyBlob, t.blob.String(), telemetry.Error(err))
		missing := t.parts.Store.Missing(idx)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.plan.reopen(missing)
		t.rouse()
		return false, nil
	case errors.Is(err, store.ErrMismatch):
		return false, t.misled(err)
	case err != nil && ctx.Err() == nil:
		err = localError{err}
	}
	return err == nil, err
}

// misled drops an index that led to other bytes, and who vouched for it.
func (t *transfer) misled(why error) error {
	if err := t.parts.Store.Abandon(t.blob); err != nil {
		return localError{err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sources {
		if s.index != t.index {
			continue
		}
		// Who has not seen the whole blob could not know.
		why := fmt.Errorf("%w: an index of other bytes: %w", errLie, why)
		if !s.whole {
			why = fmt.Errorf("%w: its index leads to other bytes", errLacks)
		}
		t.drop(s, why)
	}
	t.useless[t.index] = true
	t.replan()
	return nil
}

// replan has the next index begun with. mu is held.
func (t *transfer) replan() {
	for _, s := range t.sources {
		t.part(s)
	}
	t.feed.end(false)
	t.plan, t.feed, t.index = nil, nil, api.Digest{}
	t.planned = make(chan struct{})
	t.moved = time.Now()
	for _, s := range t.sources {
		if s.state == stateDiffers {
			s.nudge()
		}
	}
	t.look()
}

func (t *transfer) endFeed(whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.feed != nil {
		t.feed.end(whole)
	}
}

// fail ends the transfer: it is this node's own trouble.
func (t *transfer) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fatal == nil {
		t.fatal = err
	}
	t.look()
}

// look has run look again.
func (t *transfer) look() {
	select {
	case t.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

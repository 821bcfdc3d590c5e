package keep

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// repair plans whenever something has changed, and fetches what lacks, until ctx ends.
func (k *Keeper) repair(ctx context.Context) error {
	var fetching sync.WaitGroup
	defer fetching.Wait()
	look := time.NewTicker(k.cfg.Look)
	defer look.Stop()
	for {
		next := time.NewTimer(time.Until(k.advance(ctx, &fetching)))
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-next.C:
		case <-look.C:
			k.Recheck()
		}
		next.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// never is a time at which nothing is due.
const never = 24 * time.Hour

// advance does what is due and returns when the next thing is.
func (k *Keeper) advance(ctx context.Context, fetching *sync.WaitGroup) (next time.Time) {
	now := time.Now()
	if k.due(now) {
		if all, changed := k.plan(now); changed {
			k.writeMembers(all)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.start(ctx, fetching, now)
	next = now.Add(never)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	if !k.synced || k.roster.self == "" {
		return next
	}
	if at, yes := k.stirred.due(&k.cfg, k.isPlanned()); yes {
		sooner(at)
	}
	if _, at := k.roster.candidates(now); !at.IsZero() {
		sooner(at)
	}
	if e, ok := k.fetches.next(); ok && k.running < k.cfg.AtOnce && k.roster.others() {
		sooner(e.at)
	}
	return next
}

// due reports whether to plan now.
func (k *Keeper) due(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.synced || k.roster.self == "" {
		return false
	}
	if at, yes := k.stirred.due(&k.cfg, k.isPlanned()); yes && !now.Before(at) {
		return true
	}
	if !k.isPlanned() {
		return false
	}
	all, _ := k.roster.candidates(now) // some may have been away for too long
	return len(all) < len(k.all)
}

func (k *Keeper) isPlanned() bool {
	select {
	case <-k.planned:
		return true
	default:
		return false
	}
}

// start starts fetches that are due. Where nobody is there to ask, they wait.
func (k *Keeper) start(ctx context.Context, fetching *sync.WaitGroup, now time.Time) {
	for k.running < k.cfg.AtOnce && k.roster.others() {
		e, ok := k.fetches.next()
		if !ok || now.Before(e.at) {
			return
		}
		k.fetches.drop()
		h := k.holding[e.blob]
		if h == nil || !h.fetchAt.Equal(e.at) {
			continue
		}
		k.running++
		ctx, cancel := context.WithCancel(ctx)
		h.fetchAt, h.cancel = time.Time{}, cancel
		size := h.size
		fetching.Go(func() {
			defer cancel()
			err := task.Guard(ctx, func(ctx context.Context) error {
				_, err := k.parts.Fetch(ctx, e.blob, size)
				return err
			})
			k.fetched(ctx, e.blob, h, err)
		})
	}
}

// tellAfter is after how many tries people are told: a member that has a blob is often
// just not back yet.
const tellAfter = 4

// fetched takes note of how a fetch has ended.
func (k *Keeper) fetched(ctx context.Context, blob api.Digest, h *holding, err error) {
	k.metrics.fetches.WithLabelValues(result(err)).Inc()
	if err == nil {
		k.parts.Announce(blob)
	}
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running--
	notify(k.wake)
	h.cancel = nil
	switch {
	case k.holding[blob] != h: // nobody needs it here any more
	case err == nil:
		h.here, h.tries = true, 0
		k.checkAt(blob, h, now.Add(k.cfg.CheckFirst))
	case ctx.Err() == nil:
		h.tries++
		pause := k.backoff(h.tries, err)
		k.fetchAt(blob, h, now.Add(pause))
		level := slog.LevelDebug
		if h.tries == tellAfter || h.tries%(10*tellAfter) == 0 {
			level = slog.LevelWarn
		}
		k.parts.Log.Log(ctx, level, "a blob that this node is to keep is not here yet", telemetry.KeyBlob, blob.String(), "tries", h.tries,
			"again_in", pause.Round(time.Second), telemetry.Error(err))
	}
}

// backoff is how long to wait after so many failures in a row.
func (k *Keeper) backoff(tries int, err error) time.Duration {
	pause := k.cfg.RetryMost
	if tries < 16 {
		pause = min(pause, k.cfg.Retry<<(tries-1))
	}
	if disk.IsFull(err) {
		pause = max(pause, min(30*k.cfg.Retry, k.cfg.RetryMost)) // others take it over meanwhile
	}
	return pause*3/4 + rand.N(pause/2)
}

// Recheck has the keeper look whether what it keeps is still here: something may have
// been found damaged.
func (k *Keeper) Recheck() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stirred.look = true
	notify(k.wake)
}

// result is the label of how a fetch has ended.
func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case disk.IsFull(err):
		return "full"
	}
	return "failed"
}

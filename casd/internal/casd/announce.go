package casd

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/fetch"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// providers asks meshd who has a blob.
func providers(bus requester, patience time.Duration) fetch.Providers {
	return func(ctx context.Context, blob api.Digest) ([]api.PeerID, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var reply api.ProvidersReply
		err := bus.RequestRetry(ctx, api.SubjectProviders, api.ProvidersRequest{Blob: blob}, &reply)
		return reply.Peers, err
	}
}

// announceBatch is the most blobs that one announcement names.
const announceBatch = 512

// announcer tells meshd which blobs are here, all at the start and every now and
// then, new ones at once, and with each of these whether the store is full.
type announcer struct {
	bus   requester
	all   func() ([]api.Digest, error)
	full  func() bool
	every time.Duration
	log   *slog.Logger
	wake  chan struct{} // holds one token while something waits

	mu      sync.Mutex
	waiting map[api.Digest]struct{}
	changed bool // full is to be told though no blob waits
}

func newAnnouncer(bus requester, all func() ([]api.Digest, error), full func() bool, every time.Duration, log *slog.Logger) *announcer {
	return &announcer{bus: bus, all: all, full: full, every: every, log: log, wake: make(chan struct{}, 1), waiting: map[api.Digest]struct{}{}}
}

// add has blobs announced soon. It does not wait.
func (a *announcer) add(blobs ...api.Digest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range blobs {
		a.waiting[d] = struct{}{}
	}
	a.soon()
}

// fullChanged has it told soon that the store is full, or is no more.
func (a *announcer) fullChanged() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed = true
	a.soon()
}

func (a *announcer) soon() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take returns up to a batch of what waits; more says whether there is anything to tell.
func (a *announcer) take() (out []api.Digest, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	more = a.changed || len(a.waiting) > 0
	a.changed = false
	for d := range maps.Keys(a.waiting) {
		if len(out) == announceBatch {
			break
		}
		out = append(out, d)
		delete(a.waiting, d)
	}
	return slices.Clip(out), more
}

// run announces until ctx ends.
func (a *announcer) run(ctx context.Context) error {
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for {
		all, err := a.all()
		if err != nil {
			a.log.Error("announce blobs", telemetry.Error(err))
		}
		a.add(all...)
		a.fullChanged() // at the start meshd may know from before what is so no more
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				again = true
			case <-a.wake:
				a.send(ctx)
			}
		}
	}
}

// send announces all that waits. What meshd refuses waits for the next round.
func (a *announcer) send(ctx context.Context) {
	for batch, more := a.take(); more; batch, more = a.take() {
		err := a.bus.RequestRetry(ctx, api.SubjectAnnounce, api.AnnounceRequest{Blobs: batch, Full: a.full()}, &api.Empty{})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.log.Warn("announce blobs", "blobs", len(batch), telemetry.Error(err))
		}
	}
}

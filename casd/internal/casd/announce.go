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

// announcer tells meshd which blobs are here: all at the start and every now and
// then, new ones at once.
type announcer struct {
	bus   requester
	all   func() ([]api.Digest, error)
	every time.Duration
	log   *slog.Logger
	wake  chan struct{} // holds one token while something waits

	mu      sync.Mutex
	waiting map[api.Digest]struct{}
}

func newAnnouncer(bus requester, all func() ([]api.Digest, error), every time.Duration, log *slog.Logger) *announcer {
	return &announcer{bus: bus, all: all, every: every, log: log, wake: make(chan struct{}, 1), waiting: map[api.Digest]struct{}{}}
}

// add has blobs announced soon. It does not wait.
func (a *announcer) add(blobs ...api.Digest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range blobs {
		a.waiting[d] = struct{}{}
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take returns up to a batch of what waits.
func (a *announcer) take() []api.Digest {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []api.Digest
	for d := range maps.Keys(a.waiting) {
		if len(out) == announceBatch {
			break
		}
		out = append(out, d)
		delete(a.waiting, d)
	}
	return slices.Clip(out)
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
		if len(all) > 0 {
			a.add(all...)
		}
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
	for batch := a.take(); len(batch) > 0; batch = a.take() {
		err := a.bus.RequestRetry(ctx, api.SubjectAnnounce, api.AnnounceRequest{Blobs: batch}, &api.Empty{})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.log.Warn("announce blobs", "blobs", len(batch), telemetry.Error(err))
		}
	}
}

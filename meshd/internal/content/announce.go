package content

import (
	"context"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Announce takes note that this node has blobs, and tells others in a while.
func (x *Index) Announce(blobs []api.Digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range blobs {
		if _, known := x.blobs[b]; known {
			continue
		}
		if len(x.blobs) >= maxAnnounced {
			if !x.overfull {
				x.cfg.Log.Warn("more blobs than this node announces: some are found only by asking it", "most", maxAnnounced)
			}
			x.overfull = true
			break
		}
		x.blobs[b] = struct{}{}
		x.queue = append(x.queue, b)
	}
	x.notify()
}

// Up takes note that there is a new neighbour: who was told nothing may be told now.
func (x *Index) Up() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue, x.unheard...)
	x.unheard = nil
	x.notify()
}

func (x *Index) notify() {
	select {
	case x.wake <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// Run provides what is announced, and looks for who else has what is asked for, until
// ctx ends.
func (x *Index) Run(ctx context.Context) error { return task.Run(ctx, x.provideAll, x.lookAround) }

func (x *Index) provideAll(ctx context.Context) error {
	again := time.NewTicker(republishEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			x.requeue()
		case <-x.wake:
		}
		for ctx.Err() == nil {
			blob, ok := x.next()
			if !ok {
				break
			}
			x.provide(ctx, blob)
		}
	}
}

func (x *Index) requeue() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue, x.unheard = x.queue[:0], nil
	for b := range x.blobs {
		x.queue = append(x.queue, b)
	}
}

func (x *Index) next() (api.Digest, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return api.Digest{}, false
	}
	b := x.queue[0]
	if x.queue = x.queue[1:]; len(x.queue) == 0 {
		x.queue = nil
	}
	return b, true
}

func (x *Index) provide(ctx context.Context, blob api.Digest) {
	call, cancel := context.WithTimeout(ctx, provideTimeout)
	defer cancel()
	k, err := key(blob)
	if err == nil {
		err = x.cfg.Routing.Provide(call, k, true)
	}
	if err != nil && ctx.Err() == nil {
		x.cfg.Log.Debug("blob is not announced yet", telemetry.KeyBlob, blob.Short(), telemetry.Error(err))
		x.mu.Lock()
		x.unheard = append(x.unheard, blob)
		x.mu.Unlock()
	}
}

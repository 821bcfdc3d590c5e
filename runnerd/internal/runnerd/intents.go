package runnerd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/runnerd/internal/wanted"
)

const (
	// retryEvery is how long runnerd waits before it looks again at intents that it
	// could not accept because of this node: a full disk, an owner not pinned yet.
	retryEvery = 2 * time.Second
	// maxBatch is how many intents are taken in with one wait for the disk.
	maxBatch = 512
	// maxSleep bounds how long a version waits whose time has come by a clock that jumps.
	maxSleep = 30 * time.Second
)

// intents follows the bucket of intents and tells what has changed of what they say.
type intents struct {
	bucket *bus.Bucket
	book   *wanted.Book
	tell   func(wanted.Change) // must not block
	now    func() time.Time    // the node's clock
	log    *slog.Logger

	events  chan bus.Event
	known   chan struct{} // closed when all that the bucket held has been seen
	failing bool          // the node was in the way of the last batch
}

func newIntents(b *bus.Bucket, book *wanted.Book, now func() time.Time, log *slog.Logger) *intents {
	return &intents{bucket: b, book: book, now: now, log: log, events: make(chan bus.Event, maxBatch), known: make(chan struct{})}
}

// watch follows the bucket until ctx ends.
func (in *intents) watch(ctx context.Context) error {
	return in.bucket.Watch(ctx, ">", func(ev bus.Event) error {
		select {
		case in.events <- ev:
		case <-ctx.Done():
		}
		return nil
	})
}

// follow takes in what the watch sees until ctx ends, as much at a time as has come
// meanwhile.
func (in *intents) follow(ctx context.Context) error {
	again := time.NewTimer(0)
	defer again.Stop()
	for synced := false; ; {
		in.plan(again)
		select {
		case <-ctx.Done():
			return nil
		case ev := <-in.events:
			batch, end := in.collect(ev)
			first := end && !synced
			synced = synced || end
			in.report(in.book.Take(batch, !synced))
			if first {
				close(in.known)
			}
		case <-again.C:
			in.report(in.book.Look())
		}
	}
}

// collect makes a batch of ev and what else is there, up to the end of what a watch
// begins with.
func (in *intents) collect(ev bus.Event) (batch []wanted.Shown, end bool) {
	for {
		switch ev.Kind {
		case bus.Put, bus.Deleted:
			batch = append(batch, wanted.Shown{Key: ev.Key, Envelope: ev.Value, Gone: ev.Kind == bus.Deleted})
		case bus.Synced:
			return batch, true
		case bus.Reset: // what was known goes on to count
		}
		if len(batch) == maxBatch {
			return batch, false
		}
		select {
		case ev = <-in.events:
		default:
			return batch, false
		}
	}
}

// report tells what the book says.
func (in *intents) report(c wanted.Change, err error) {
	if err != nil && !in.failing && !errors.Is(err, trust.ErrUnclaimed) {
		in.log.Error("intents have to wait", telemetry.Error(err))
	}
	if in.failing = err != nil; !in.failing {
		in.tell(c)
	}
}

// plan sets when to look at the book without an event.
func (in *intents) plan(t *time.Timer) {
	t.Stop()
	if in.failing {
		t.Reset(retryEvery)
	} else if next, ok := in.book.Next(); ok {
		t.Reset(min(max(next.Sub(in.now()), 0), maxSleep))
	}
}

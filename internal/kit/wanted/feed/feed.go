// Package feed shows a [wanted.Book] what the bucket of intents holds, as it comes, and
// tells what follows: for each daemon that acts on signed intents.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/internal/kit/wanted"
)

const (
	// retryEvery is how long a Feed waits before it looks again at intents that it
	// could not accept because of this node: a full disk, an owner not pinned yet.
	retryEvery = 2 * time.Second
	// maxBatch is how many intents are taken in with one wait for the disk.
	maxBatch = 512
	// maxSleep bounds how long a version waits whose time has come by a clock that jumps.
	maxSleep = 30 * time.Second
)

// Feed follows the bucket of intents and tells what has changed of what they say.
type Feed struct {
	bucket *bus.Bucket
	book   *wanted.Book
	tell   func(wanted.Change)
	now    func() time.Time
	log    *slog.Logger

	events  chan bus.Event
	known   chan struct{}
	failing bool // the node was in the way of the last batch
}

// New returns a Feed of b to book, which is the Feed's alone to change, that does nothing
// yet. now is the node's clock. tell must not block.
func New(b *bus.Bucket, book *wanted.Book, now func() time.Time, tell func(wanted.Change), log *slog.Logger) *Feed {
	return &Feed{bucket: b, book: book, now: now, tell: tell, log: log, events: make(chan bus.Event, maxBatch), known: make(chan struct{})}
}

// Known is closed when all that the bucket held has been seen.
func (f *Feed) Known() <-chan struct{} { return f.known }

// Run follows the bucket until ctx ends.
func (f *Feed) Run(ctx context.Context) error { return task.Run(ctx, f.watch, f.follow) }

// watch follows the bucket until ctx ends.
func (f *Feed) watch(ctx context.Context) error {
	return f.bucket.Watch(ctx, ">", func(ev bus.Event) error {
		select {
		case f.events <- ev:
		case <-ctx.Done():
		}
		return nil
	})
}

// follow takes in what the watch sees until ctx ends, as much at a time as has come
// meanwhile.
func (f *Feed) follow(ctx context.Context) error {
	again := time.NewTimer(0)
	defer again.Stop()
	for synced := false; ; {
		f.plan(again)
		select {
		case <-ctx.Done():
			return nil
		case ev := <-f.events:
			batch, end := f.collect(ev)
			first := end && !synced
			synced = synced || end
			f.report(f.book.Take(batch, !synced))
			if first {
				close(f.known)
			}
		case <-again.C:
			f.report(f.book.Look())
		}
	}
}

// collect makes a batch of ev and what else is there, up to the end of what a watch
// begins with.
func (f *Feed) collect(ev bus.Event) (batch []wanted.Shown, end bool) {
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
		case ev = <-f.events:
		default:
			return batch, false
		}
	}
}

// report tells what the book says.
func (f *Feed) report(c wanted.Change, err error) {
	if err != nil && !f.failing && !errors.Is(err, trust.ErrUnclaimed) {
		f.log.Error("intents have to wait", telemetry.Error(err))
	}
	if f.failing = err != nil; !f.failing {
		f.tell(c)
	}
}

// plan sets when to look at the book without an event.
func (f *Feed) plan(t *time.Timer) {
	t.Stop()
	if f.failing {
		t.Reset(retryEvery)
	} else if next, ok := f.book.Next(); ok {
		t.Reset(min(max(next.Sub(f.now()), 0), maxSleep))
	}
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// EventKind says what a watch has seen.
type EventKind int

// A watch begins with Reset, then one Put per key that exists, then Synced, then
// changes as they come; a value that is overtaken at once may be left out. After
// the bus was away it begins again with Reset: what was known before no longer
// counts, and a bucket in memory may be empty.
const (
	Reset EventKind = iota
	Put
	Deleted
	Synced
)

// Event is one step of a watch. Reset and Synced have no entry.
type Event struct {
	Kind EventKind
	Entry
}

// Watch calls fn for every change of the keys that match pattern, in order, until
// ctx ends (nil), fn returns an error, which it returns, or there is no right to
// watch ([ErrForbidden]). Whatever else breaks it off, it resumes by itself.
func (b *Bucket) Watch(ctx context.Context, pattern string, fn func(Event) error) error {
	var failed error
	step := func(e Event) error {
		failed = fn(e)
		return failed
	}
	for n := 1; ; n++ {
		err := b.watchOnce(ctx, pattern, func(e Event) error {
			n = 0
			return step(e)
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // ended as asked
		case failed != nil:
			return failed
		case errors.Is(err, ErrForbidden), errors.Is(err, jetstream.ErrInvalidKey):
			return err
		}
		if err := b.conn.awaitBus(ctx, min(time.Duration(n+1)*reconnectStep, reconnectMax)); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // ended as asked
			}
			return err
		}
	}
}

var errStop = errors.New("stop")

// All returns the current entries whose keys match pattern (NATS wildcards; ">" for all).
func (b *Bucket) All(ctx context.Context, pattern string) ([]Entry, error) {
	var out []Entry
	err := b.watchOnce(ctx, pattern, func(ev Event) error {
		switch ev.Kind {
		case Put:
			out = append(out, ev.Entry)
		case Synced:
			return errStop
		}
		return nil
	}, jetstream.IgnoreDeletes())
	if !errors.Is(err, errStop) {
		return nil, fmt.Errorf("list %s: %w", b.name, err)
	}
	return out, nil
}

// watchOnce watches until the connection breaks ([ErrDisconnected]), ctx ends or
// fn fails. Its error is never nil.
func (b *Bucket) watchOnce(ctx context.Context, pattern string, fn func(Event) error, opts ...jetstream.WatchOpt) error {
	revived := b.conn.reconnected()
	call, end := b.conn.begin(ctx, b.watches())
	defer func() { _ = end(nil) }()
	w, err := b.kv.Watch(call, pattern, opts...)
	if err != nil {
		return fmt.Errorf("watch %s: %w", b.name, end(err))
	}
	defer drain(w)
	if err := fn(Event{Kind: Reset}); err != nil {
		return err
	}
	for {
		select {
		case <-call.Done():
			return context.Cause(call)
		case <-revived:
			return ErrDisconnected
		case u, ok := <-w.Updates():
			if !ok {
				return ErrDisconnected
			}
			if err := fn(event(u)); err != nil {
				return err
			}
		}
	}
}

// drain lets a watcher end whose context ends. Its goroutine may wait for somebody
// to take the next update; without a reader it would wait for ever. The client
// takes leave of the server on its own: to do that here, with Stop, would wait
// for a server that is away.
func drain(w jetstream.KeyWatcher) {
	go func() {
		for range w.Updates() { //nolint:revive // only to empty it
		}
	}()
}

func event(u jetstream.KeyValueEntry) Event {
	if u == nil {
		return Event{Kind: Synced}
	}
	ev := Event{Kind: Put, Entry: Entry{u.Key(), u.Value(), u.Revision()}}
	if u.Operation() != jetstream.KeyValuePut {
		ev.Kind = Deleted
	}
	return ev
}

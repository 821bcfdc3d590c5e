package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/realm-mesh/realm/api"
)

// MaxKey is the longest key, in bytes: far longer ones close a client for good.
const MaxKey = 256

// Errors of buckets that callers branch on.
var (
	ErrNotFound = errors.New("no such key")
	ErrConflict = errors.New("the key has changed meanwhile")
)

// Bucket is a key-value bucket of the node.
type Bucket struct {
	conn *Conn
	kv   jetstream.KeyValue
	name string
}

// Entry is the value of a key at a revision.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Bucket opens a bucket that the launcher has made.
func (c *Conn) Bucket(ctx context.Context, name string) (*Bucket, error) {
	ctx, end := c.begin(ctx, "$JS.API.STREAM.INFO.KV_"+name)
	kv, err := c.js.KeyValue(ctx, name)
	if err = end(err); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return &Bucket{c, kv, name}, nil
}

func (b *Bucket) check(key string, value []byte) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("key %.40q: want 1 to %d bytes", key, MaxKey)
	}
	if len(value) > api.MaxMessage {
		return fmt.Errorf("value of %s: %w: %d bytes", key, api.ErrTooLarge, len(value))
	}
	return nil
}

// do runs one operation on key with the errors of this package.
func (b *Bucket) do(ctx context.Context, verb, key string, value []byte, op func(context.Context) error) error {
	if err := b.check(key, value); err != nil {
		return fmt.Errorf("%s %s: %w", verb, b.name, err)
	}
	ctx, end := b.conn.begin(ctx, "$KV."+b.name+"."+key)
	err := end(op(ctx))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		err = ErrNotFound
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		err = ErrConflict
	}
	return fmt.Errorf("%s %s/%s: %w", verb, b.name, key, err)
}

// Get returns the current value of key, or [ErrNotFound].
func (b *Bucket) Get(ctx context.Context, key string) (e Entry, err error) {
	err = b.do(ctx, "get", key, nil, func(ctx context.Context) error {
		kv, err := b.kv.Get(ctx, key)
		if err != nil {
			return err
		}
		e = Entry{kv.Key(), kv.Value(), kv.Revision()}
		return nil
	})
	return e, err
}

// Put sets key, whatever it was. For a bucket on disk it returns once that is synced.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	return b.do(ctx, "put", key, value, func(ctx context.Context) error {
		_, err := b.kv.Put(ctx, key, value)
		return err
	})
}

// Update sets key if it is still at revision (0: not there), else [ErrConflict].
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	return b.do(ctx, "update", key, value, func(ctx context.Context) error {
		var err error
		if revision == 0 {
			_, err = b.kv.Create(ctx, key, value)
		} else {
			_, err = b.kv.Update(ctx, key, value, revision)
		}
		return err
	})
}

// Delete removes key; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.do(ctx, "delete", key, nil, func(ctx context.Context) error { return b.kv.Delete(ctx, key) })
}

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
	if errors.Is(err, errStop) {
		err = nil
	}
	return out, err
}

// EventKind says what a watch has seen.
type EventKind int

// A watch begins with Reset, then one Put per key that exists, then Synced, then
// changes as they come. After the bus was away it begins again with Reset: what
// was known before no longer counts.
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

var errStop = errors.New("stop")

// Watch calls fn for every change of the keys that match pattern, in order, until
// ctx ends or fn returns an error, which it returns. It resumes by itself.
func (b *Bucket) Watch(ctx context.Context, pattern string, fn func(Event) error) error {
	for {
		err := b.watchOnce(ctx, pattern, fn)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, ErrDisconnected) && err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.conn.closed:
			return ErrDisconnected
		case <-time.After(reconnectStep):
		}
	}
}

// watchOnce watches until the connection is replaced ([ErrDisconnected]), ctx
// ends or fn fails.
func (b *Bucket) watchOnce(ctx context.Context, pattern string, fn func(Event) error, opts ...jetstream.WatchOpt) error {
	revived := b.conn.reconnected()
	call, end := b.conn.begin(ctx, "$JS.API.CONSUMER.CREATE.KV_"+b.name)
	defer func() { _ = end(nil) }()
	w, err := b.kv.Watch(call, pattern, opts...)
	if err != nil {
		if errors.Is(context.Cause(call), ErrDisconnected) || !b.conn.Connected() {
			return ErrDisconnected
		}
		return fmt.Errorf("watch %s: %w", b.name, err)
	}
	defer func() { _ = w.Stop() }() // the server forgets the consumer by itself
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

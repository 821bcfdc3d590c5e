package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

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
	conn    *Conn
	kv      jetstream.KeyValue
	name    string
	batches bool // takes several changes as one
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
	b := &Bucket{conn: c, name: name}
	var status jetstream.KeyValueStatus
	var err error
	if b.kv, err = c.js.KeyValue(ctx, name); err == nil {
		status, err = b.kv.Status(ctx)
	}
	if err = end(err); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	if s, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		b.batches = s.StreamInfo().Config.AllowAtomicPublish
	}
	return b, nil
}

var reKey = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)

// check tells what is wrong with a key or value. What NATS says of a key is said
// here, too, for those that do not pass its client.
func (b *Bucket) check(key string, value []byte) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return fmt.Errorf("key %.40q: want 1 to %d bytes", key, MaxKey)
	case !reKey.MatchString(key), key[0] == '.', key[len(key)-1] == '.', strings.Contains(key, ".."):
		return fmt.Errorf("key %.40q: want letters, digits and any of -/_=, with single dots between", key)
	}
	if len(value) > api.MaxMessage {
		return fmt.Errorf("value of %s: %w: %d bytes", key, api.ErrTooLarge, len(value))
	}
	return nil
}

// Subjects that the operations below publish to, by which a refusal finds them.
func (b *Bucket) reads(key string) string {
	return "$JS.API.DIRECT.GET.KV_" + b.name + ".$KV." + b.name + "." + key
}
func (b *Bucket) writes(key string) string { return "$KV." + b.name + "." + key }
func (b *Bucket) watches() string          { return "$JS.API.CONSUMER.CREATE.KV_" + b.name + "." }

// do runs one operation on key, which publishes to subject, with the errors of this package.
func (b *Bucket) do(ctx context.Context, verb, key, subject string, value []byte, op func(context.Context) error) error {
	if err := b.check(key, value); err != nil {
		return fmt.Errorf("%s %s: %w", verb, b.name, err)
	}
	ctx, end := b.conn.begin(ctx, subject)
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
	err = b.do(ctx, "get", key, b.reads(key), nil, func(ctx context.Context) error {
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
	return b.do(ctx, "put", key, b.writes(key), value, func(ctx context.Context) error {
		_, err := b.kv.Put(ctx, key, value)
		return err
	})
}

// Update sets key if it is still at revision (0: not there), else [ErrConflict].
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	return b.do(ctx, "update", key, b.writes(key), value, func(ctx context.Context) error {
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
	return b.do(ctx, "delete", key, b.writes(key), nil, func(ctx context.Context) error { return b.kv.Delete(ctx, key) })
}

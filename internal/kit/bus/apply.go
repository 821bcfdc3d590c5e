package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

const (
	maxBatch      = 256     // changes of one batch
	maxBatchBytes = 4 << 20 // values of one batch
	minBatch      = 16      // fewer are faster one by one
	maxTogether   = 16      // changes on their way at once that make no batch
)

// change is what becomes of a key.
type change struct {
	key   string
	value []byte
	gone  bool
}

// Apply sets the keys of puts and removes those of deletes, whatever they were, and
// returns when the bus has taken all of them; for a bucket on disk, when they are
// synced, which many are together. After an error any of them may have been made:
// apply them again, or compare with [Bucket.All]. Between changes of one Apply there
// is no order.
//
// Many changes travel as atomic batches of JetStream where the bucket allows them,
// as those of the launcher do, and one by one where it does not.
func (b *Bucket) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	changes := make([]change, 0, len(puts)+len(deletes))
	for _, key := range slices.Sorted(maps.Keys(puts)) {
		changes = append(changes, change{key: key, value: puts[key]})
	}
	for _, key := range deletes {
		changes = append(changes, change{key: key, gone: true})
	}
	for _, c := range changes {
		if err := b.check(c.key, c.value); err != nil {
			return fmt.Errorf("apply %s: %w", b.name, err)
		}
	}
	if !b.batches || len(changes) < minBatch {
		return b.applyEach(ctx, changes)
	}
	for len(changes) > 0 {
		n := cut(changes)
		if err := b.applyBatch(ctx, changes[:n]); err != nil {
			return fmt.Errorf("apply %d changes to %s: %w", n, b.name, err)
		}
		changes = changes[n:]
	}
	return nil
}

// cut is how many of changes, which are not empty, go into the next batch.
func cut(changes []change) int {
	size := 0
	for i, c := range changes {
		if size += len(c.value); i == maxBatch || i > 0 && size > maxBatchBytes {
			return i
		}
	}
	return len(changes)
}

func (b *Bucket) applyEach(ctx context.Context, changes []change) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxTogether)
	for _, c := range changes {
		g.Go(func() error {
			if c.gone {
				return b.Delete(ctx, c.key)
			}
			return b.Put(ctx, c.key, c.value)
		})
	}
	return g.Wait()
}

// Headers of a batch (NATS ADR-50) and of a deleted key (ADR-8).
const (
	headBatch     = "Nats-Batch-Id"
	headSequence  = "Nats-Batch-Sequence"
	headCommit    = "Nats-Batch-Commit"
	headOperation = "KV-Operation"
)

// applyBatch makes all of changes, or none.
func (b *Bucket) applyBatch(ctx context.Context, changes []change) error {
	ctx, end := b.conn.begin(ctx, b.writes(""))
	id := rand.Text()
	last := len(changes) - 1
	for i, c := range changes[:last] {
		if ctx.Err() != nil {
			break // the request below tells why
		}
		if err := b.conn.nc.PublishMsg(b.message(id, i, c)); err != nil {
			return end(err)
		}
	}
	commit := b.message(id, last, changes[last])
	commit.Header.Set(headCommit, "1")
	answer, err := b.conn.nc.RequestMsgWithContext(ctx, commit)
	err = end(err)
	switch {
	case errors.Is(err, ErrNoAnswer): // the bucket is the bus's own: it is not up again yet
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	case err != nil:
		return err
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Count int                 `json:"count"`
	}
	switch err := json.Unmarshal(answer.Data, &ack); {
	case err != nil:
		return fmt.Errorf("read what the bus says: %w", err)
	case ack.Error != nil:
		return ack.Error
	case ack.Count != len(changes):
		return fmt.Errorf("the bus has taken %d", ack.Count)
	}
	return nil
}

// message is number i, from 0, of a batch.
func (b *Bucket) message(id string, i int, c change) *nats.Msg {
	m := nats.NewMsg(b.writes(c.key))
	m.Data = c.value
	m.Header.Set(headBatch, id)
	m.Header.Set(headSequence, strconv.Itoa(i+1))
	if c.gone {
		m.Header.Set(headOperation, "DEL")
	}
	return m
}

package meshd

import (
	"context"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

const (
	// recordsAtOnce is how many changes go to the bucket with one wait for the disk.
	recordsAtOnce = 256
	// recordsPause is how long others are waited for to go with them.
	recordsPause = 20 * time.Millisecond
)

// recordMirror keeps the jobs bucket and the shelf alike: what runnerd says here comes
// from the bucket, as all does at the start; what others say goes there.
type recordMirror struct {
	shelf   *records.Shelf
	bucket  *bus.Bucket
	changed func() // other blobs may be needed
	log     *slog.Logger
}

// read follows the bucket until ctx ends.
func (m *recordMirror) read(ctx context.Context) error {
	var has map[string]bool                                    // not nil: the watch has begun and is not synced
	return m.bucket.Watch(ctx, ">", func(ev bus.Event) error { //nolint:contextcheck // what it does waits for nothing
		switch ev.Kind {
		case bus.Reset:
			has = map[string]bool{}
		case bus.Synced:
			m.shelf.Compare(has)
			m.changed()
			has = nil
		case bus.Put:
			if has != nil {
				has[ev.Key] = true
				m.add(ev.Entry, records.Disk)
				break
			}
			m.add(ev.Entry, records.Runnerd)
			m.changed()
		case bus.Deleted:
		}
		return nil
	})
}

func (m *recordMirror) add(e bus.Entry, from records.Source) {
	rec, err := intent.ReadRecord(e.Value)
	if err != nil || api.KeyRecord(rec.Exec()) != e.Key {
		m.log.Warn("a record in the jobs bucket is left aside", "key", e.Key, telemetry.Error(err))
		return
	}
	m.shelf.Add(rec, e.Value, from)
}

// write brings what is new to the bucket until ctx ends.
func (m *recordMirror) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.shelf.Writes():
		}
		wait := recordsPause
		puts, deletes := m.shelf.TakeWrites(recordsAtOnce)
		if err := m.bucket.Apply(ctx, puts, deletes); err != nil {
			if ctx.Err() == nil {
				m.log.Warn("records of jobs are not written yet", telemetry.Error(err))
			}
			m.shelf.Failed(puts, deletes)
			wait = writeRetry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

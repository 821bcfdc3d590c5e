package meshd

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/facts"
)

// writeRetry is how long a write that failed waits: the bus is on its way back.
const writeRetry = 200 * time.Millisecond

const maxRecord = 64 << 10 // bytes of a value in one of the mirrored buckets

// recover reads the members that an earlier process knew, this node among them, and
// removes what it said of their workloads: that was long ago, and who is alive says it
// again.
func (b buckets) recover(ctx context.Context, self api.PeerID) ([]api.PeerRecord, error) {
	old, err := b.workloads.All(ctx, ">")
	if err != nil {
		return nil, err
	}
	for _, e := range old {
		if _, p, ok := api.ParseKeyWorkload(e.Key); ok && p == self {
			continue
		}
		if err := b.workloads.Delete(ctx, e.Key); err != nil {
			return nil, err
		}
	}
	entries, err := b.peers.All(ctx, ">")
	if err != nil {
		return nil, err
	}
	var out []api.PeerRecord
	for _, e := range entries {
		var r api.PeerRecord
		if api.DecodeFact(e.Value, maxRecord, &r) == nil && string(r.Peer) == e.Key { // else it is written anew
			out = append(out, r)
		}
	}
	return out, nil
}

// mirror keeps the peers and workloads buckets and the table of facts alike: this
// node's own workloads from bucket to table, everything else from table to bucket.
type mirror struct {
	table   *facts.Table
	buckets buckets
	self    api.PeerID
	back    func() // the bus is there (again)
	log     *slog.Logger
}

func newMirror(t *facts.Table, b buckets, back func(), log *slog.Logger) *mirror {
	return &mirror{table: t, buckets: b, self: t.Me().Peer, back: back, log: log}
}

// readOwn watches what runnerd says of this node's workloads until ctx ends. When
// the watch begins anew, the bus has restarted: runnerd says all again, and this
// daemon writes all again.
func (m *mirror) readOwn(ctx context.Context) error {
	var fresh map[api.Ref]api.WorkloadFact // not nil: the watch has begun and is not synced
	return m.buckets.workloads.Watch(ctx, "*.*."+string(m.self), func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Reset:
			fresh = map[api.Ref]api.WorkloadFact{}
			m.back()
		case bus.Synced:
			m.table.ReplaceOwn(fresh)
			m.table.MarkAll()
			fresh = nil
		case bus.Put:
			f, ok := m.fact(ev.Entry)
			switch {
			case !ok:
			case fresh != nil:
				fresh[f.Ref] = f
			default:
				m.table.SetOwn(f)
			}
		case bus.Deleted:
			if ref, _, ok := api.ParseKeyWorkload(ev.Key); ok {
				delete(fresh, ref)
				m.table.DropOwn(ref)
			}
		}
		return nil
	})
}

func (m *mirror) fact(e bus.Entry) (api.WorkloadFact, bool) {
	var f api.WorkloadFact
	err := api.DecodeFact(e.Value, maxRecord, &f)
	if err != nil || api.KeyWorkload(f.Ref, f.Peer) != e.Key {
		m.log.Warn("a fact in the workloads bucket is left aside", "key", e.Key, telemetry.Error(err))
		return f, false
	}
	return f, true
}

// write brings the buckets to what the table says until ctx ends.
func (m *mirror) write(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.table.Changed():
		}
		failed, err := m.writeChanges(ctx)
		if err != nil {
			return err
		}
		if !failed {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(writeRetry):
		}
	}
}

// writeChanges writes what has changed. What fails is marked to be written again.
func (m *mirror) writeChanges(ctx context.Context) (failed bool, err error) {
	writes, err := m.table.Take()
	if err != nil {
		return false, err
	}
	for i, w := range writes {
		b := m.buckets.peers
		if w.Bucket == api.BucketWorkloads {
			b = m.buckets.workloads
		}
		if w.Value == nil {
			err = b.Delete(ctx, w.Key.Key)
		} else {
			err = b.Put(ctx, w.Key.Key, w.Value)
		}
		if errors.Is(err, bus.ErrForbidden) {
			return true, err // waiting will not help
		}
		if err != nil {
			if ctx.Err() == nil {
				m.log.Debug("facts are not written yet", telemetry.Error(err))
			}
			for _, rest := range writes[i:] {
				m.table.Mark(rest.Key)
			}
			return true, nil
		}
	}
	return false, nil
}

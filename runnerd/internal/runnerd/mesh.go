package runnerd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
)

// mesh shows to the reconciler what meshd writes: who is up, and what others run.
type mesh struct {
	peers, workloads *bus.Bucket
	to               *reconcile.Reconciler
	jobs             *jobber
	volumes          *volumes
	secrets          *secretPeers
	log              *slog.Logger
}

// watchPeers follows the records of members until ctx ends.
func (m *mesh) watchPeers(ctx context.Context) error {
	return m.peers.Watch(ctx, ">", func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Reset:
			m.to.Begin(reconcile.Records)
		case bus.Put:
			rec, err := record(ev.Entry)
			if err != nil {
				m.log.Warn("passed over what is said of a member", "key", ev.Key, telemetry.Error(err))
				return nil
			}
			m.volumes.record(&rec)
			m.secrets.record(rec)
			m.to.Record(rec)
			m.jobs.record(rec)
		case bus.Deleted:
			m.volumes.recordGone(api.PeerID(ev.Key))
			m.secrets.gone(api.PeerID(ev.Key))
			m.to.RecordGone(api.PeerID(ev.Key))
			m.jobs.recordGone(api.PeerID(ev.Key))
		case bus.Synced:
			m.to.End(reconcile.Records)
			m.jobs.peersTold()
		}
		return nil
	})
}

// watchWorkloads follows the facts of members until ctx ends.
func (m *mesh) watchWorkloads(ctx context.Context) error {
	return m.workloads.Watch(ctx, ">", func(ev bus.Event) error {
		switch ev.Kind {
		case bus.Reset:
			m.to.Begin(reconcile.Facts)
		case bus.Put:
			f, err := workloadFact(ev.Entry)
			if err != nil {
				m.log.Warn("passed over what a member says", "key", ev.Key, telemetry.Error(err))
				return nil
			}
			m.to.Fact(f)
		case bus.Deleted:
			if ref, p, ok := api.ParseKeyWorkload(ev.Key); ok {
				m.to.FactGone(ref, p)
			}
		case bus.Synced:
			m.to.End(reconcile.Facts)
		}
		return nil
	})
}

// errKey says that a value speaks of something else than its key.
var errKey = errors.New("it is about another than its key says")

// record reads a value of the peers bucket.
func record(e bus.Entry) (rec api.PeerRecord, err error) {
	if err := json.Unmarshal(e.Value, &rec); err != nil {
		return rec, err
	}
	if string(rec.Peer) != e.Key {
		return rec, errKey
	}
	return rec, rec.Validate()
}

// workloadFact reads a value of the workloads bucket.
func workloadFact(e bus.Entry) (f api.WorkloadFact, err error) {
	if err := json.Unmarshal(e.Value, &f); err != nil {
		return f, err
	}
	if api.KeyWorkload(f.Ref, f.Peer) != e.Key {
		return f, errKey
	}
	return f, f.Validate()
}

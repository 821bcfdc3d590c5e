package keep

import (
	"context"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const maxRecord = 64 << 10 // bytes of a value in the buckets

// watchMembers follows who is a member, and there, until ctx ends.
func (k *Keeper) watchMembers(ctx context.Context) error {
	b, err := k.parts.Peers(ctx)
	if err != nil {
		return err
	}
	return b.Watch(ctx, "*", func(ev bus.Event) error {
		now := time.Now()
		k.mu.Lock()
		defer k.mu.Unlock()
		news := false
		switch ev.Kind {
		case bus.Reset:
			k.roster.begin()
		case bus.Put:
			var rec api.PeerRecord
			if err := api.DecodeFact(ev.Value, maxRecord, &rec); err != nil || string(rec.Peer) != ev.Key {
				k.parts.Log.Warn("a record in the peers bucket is left aside", "key", ev.Key, telemetry.Error(err))
				return nil
			}
			news = k.roster.told(rec, now)
		case bus.Deleted:
			k.roster.gone(api.PeerID(ev.Key))
			news = true
		case bus.Synced:
			k.roster.complete(now)
			k.synced, news = true, true
		}
		if k.roster.self != "" {
			select {
			case <-k.knowsSelf:
			default:
				close(k.knowsSelf)
			}
		}
		if news {
			k.stirred.stirMembers(now)
			notify(k.wake)
		}
		return nil
	})
}

// watchRuns follows what this node runs until ctx ends.
func (k *Keeper) watchRuns(ctx context.Context) error {
	b, err := k.parts.Workloads(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-k.knowsSelf:
	}
	k.mu.Lock()
	self := k.roster.self
	k.mu.Unlock()
	return b.Watch(ctx, "*.*."+string(self), func(ev bus.Event) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		switch ev.Kind {
		case bus.Reset:
			k.runs.begin()
			return nil
		case bus.Put:
			var f api.WorkloadFact
			if err := api.DecodeFact(ev.Value, maxRecord, &f); err != nil || api.KeyWorkload(f.Ref, f.Peer) != ev.Key {
				k.parts.Log.Warn("a fact in the workloads bucket is left aside", "key", ev.Key, telemetry.Error(err))
				return nil
			}
			k.runs.told(f)
		case bus.Deleted:
			if ref, _, ok := api.ParseKeyWorkload(ev.Key); ok {
				k.runs.gone(ref)
			}
		case bus.Synced:
			k.runs.complete()
		}
		k.runs.resolve(k.needs)
		return nil
	})
}

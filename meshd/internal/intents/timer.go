package intents

import (
	"context"
	"time"

	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// clockCheck is the longest wait for a time: nothing tells of a clock that is set.
const clockCheck = time.Minute

// watchTime removes commands whose time is over, and has intents that were issued
// in the future counted when that has come.
func (k *Keeper) watchTime(ctx context.Context) error {
	for {
		early := k.ledger.Early(k.cfg.Now())
		var due <-chan time.Time
		if next := k.nextTime(early); !next.IsZero() {
			due = time.After(min(max(0, next.Sub(k.cfg.Now())), clockCheck))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.timer:
		case <-due:
			k.pass(early)
		}
	}
}

// nextTime is when something ends or begins to count; zero: never.
func (k *Keeper) nextTime(early []intent.Signed) (next time.Time) {
	if len(early) > 0 {
		next = early[0].Issued.Add(-ledger.MaxAhead)
	}
	k.commits.Lock()
	defer k.commits.Unlock()
	for _, at := range k.expires {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// pass draws the conclusions from the time; early did not count before.
func (k *Keeper) pass(early []intent.Signed) {
	k.commits.Lock()
	defer k.commits.Unlock()
	now := k.cfg.Now()
	c := ledger.Change{Dropped: k.ledger.Expire(now)}
	for _, s := range early {
		if s.Issued.After(now.Add(ledger.MaxAhead)) {
			break
		}
		k.cfg.Log.Info("intent counts from now on", telemetry.KeyWorkload, s.String(), telemetry.KeySeq, s.Seq)
		k.show.mark(ledger.Change{Added: []intent.Signed{s}})
	}
	k.track(c)
	k.tell(ByTime, c)
}

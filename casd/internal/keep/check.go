package keep

import (
	"context"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// check asks now and then who else has what is kept here, one blob after the other,
// until ctx ends.
func (k *Keeper) check(ctx context.Context) error {
	pause := time.NewTimer(k.cfg.CheckEach)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		blob, at, ok := k.nextCheck(time.Now())
		if ok {
			k.checkOne(ctx, blob)
			pause.Reset(k.cfg.CheckEach)
			continue
		}
		next := time.NewTimer(time.Until(at))
		select {
		case <-ctx.Done():
		case <-k.wakeCheck:
		case <-next.C:
		}
		next.Stop()
		pause.Reset(k.cfg.CheckEach)
	}
}

// nextCheck takes a blob to check now; false: there is none before at.
func (k *Keeper) nextCheck(now time.Time) (blob api.Digest, at time.Time, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		e, ok := k.checks.next()
		if !ok {
			return blob, now.Add(never), false
		}
		h := k.holding[e.blob]
		if h != nil && h.checkAt.Equal(e.at) && now.Before(e.at) {
			return blob, e.at, false
		}
		k.checks.drop()
		if h != nil && h.checkAt.Equal(e.at) {
			h.checkAt = time.Time{}
			return e.blob, now, true
		}
	}
}

// checkOne asks the other keepers of a blob that is kept here.
func (k *Keeper) checkOne(ctx context.Context, blob api.Digest) {
	k.mu.Lock()
	who, self := keepers(blob, k.needs.copies(blob), k.all), k.roster.self
	k.mu.Unlock()
	n := 1
	for _, a := range k.askAll(ctx, slices.DeleteFunc(slices.Clone(who), func(p api.PeerID) bool { return p == self }), blob) {
		if a.has {
			n++
		}
	}
	if ctx.Err() != nil {
		return
	}
	k.metrics.checks.Inc()
	k.note(blob, n, len(who))
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.holding[blob]
	if h == nil || !h.here || !h.checkAt.IsZero() {
		return
	}
	if n >= len(who) {
		h.poor = 0
		k.checkAt(blob, h, now.Add(k.cfg.CheckGood))
		return
	}
	h.poor++
	k.checkAt(blob, h, now.Add(min(time.Duration(h.poor)*k.cfg.CheckPoor, k.cfg.CheckGood)))
}

// note remembers how many members have a blob that is kept here, of how many that
// should.
func (k *Keeper) note(blob api.Digest, copies, want int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.holding[blob]; h != nil {
		h.copies, h.want = copies, want
	}
}

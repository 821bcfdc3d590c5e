package conduct

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	tellEvery   = time.Second      // at most, about one flood
	lookEvery   = 30 * time.Second // at who has been good again
	forgivenAt  = 1                // points below which nothing is held against a peer
	quietBefore = 10 * time.Minute // a peer without points is forgotten
)

// Run tells of changes, cuts off, and forgives, until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			b.forgive(time.Now())
		case <-b.wake:
		}
		b.act(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tellEvery):
		}
	}
}

// act tells and cuts off where that is due.
func (b *Book) act(now time.Time) {
	told, block := map[peer.ID]string{}, []peer.ID{}
	b.mu.Lock()
	for p, r := range b.peers {
		if r.expel {
			r.expel = false
			block = append(block, p)
		}
		if !r.dirty {
			continue
		}
		r.dirty = false
		if s := sentence(r.counts, r.pointsAt(now), r.blocked); s != r.shown {
			r.shown = s
			told[p] = s
		}
	}
	b.mu.Unlock()
	for _, p := range block {
		b.cfg.Block(p)
	}
	for p, s := range told {
		b.cfg.Changed(p, s)
	}
}

// forgive ends what has lasted long enough.
func (b *Book) forgive(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, r := range b.peers {
		if !r.blocked.IsZero() && !now.Before(r.blocked) {
			r.blocked = time.Time{}
			r.points, r.at = min(r.pointsAt(now), BlockAt/2), now
			r.dirty = true
		}
		switch {
		case r.pointsAt(now) >= forgivenAt:
			r.dirty = true
		case r.points > 0:
			r.points, r.counts, r.dirty = 0, [offences]int{}, true
		case r.shown == "" && now.Sub(r.used) > quietBefore:
			delete(b.peers, p)
		}
	}
}

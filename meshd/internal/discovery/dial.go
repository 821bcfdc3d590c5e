package discovery

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// dialLoop dials whoever is due.
func (f *Finder) dialLoop(ctx context.Context) error {
	var dials sync.WaitGroup
	defer dials.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := f.due(time.Now())
		for _, ai := range due {
			dials.Go(func() { f.dial(ctx, ai) })
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		}
	}
}

// due returns whom to dial now, marked as such, and when to ask again.
func (f *Finder) due(now time.Time) (out []peer.AddrInfo, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait = time.Hour
	enough := f.connected() >= f.cfg.Enough
	for p, t := range f.targets {
		switch {
		case t.connected || t.dialling:
			continue
		case !t.bootstrap() && (enough || f.cfg.Stranger(p)):
			continue
		case t.next.After(now):
			wait = min(wait, t.next.Sub(now))
			continue
		case f.dials >= maxDials:
			continue // the end of a dial wakes the loop
		}
		f.dials++
		t.dialling = true
		out = append(out, peer.AddrInfo{ID: p, Addrs: slices.Concat(t.fixed, t.own, t.heard)})
	}
	return out, wait
}

// connected counts; the caller holds mu.
func (f *Finder) connected() int {
	n := 0
	for _, t := range f.targets {
		if t.connected {
			n++
		}
	}
	return n
}

func (f *Finder) dial(ctx context.Context, ai peer.AddrInfo) {
	call, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// The back-off here is the one that counts; libp2p's own would add to it.
	if s, ok := f.cfg.Host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(ai.ID)
	}
	err := f.cfg.Host.Connect(call, p2p.WithTCP(ai))
	f.mu.Lock()
	defer f.mu.Unlock()
	defer notify(f.wake)
	f.dials--
	t := f.targets[ai.ID]
	t.dialling = false
	// Whether it is a member turns out later, by Up; until then it counts as a failure.
	t.failed++
	t.err = err
	most := backoffLearnt
	switch {
	case t.bootstrap():
		most = backoffBootstrap
		f.complain(ctx, ai.ID, t.failed, err)
	case t.seen.IsZero() && t.failed >= doubtAfter:
		most = backoffDoubted
	}
	t.next = time.Now().Add(backoff(t.failed, most))
}

// Trial is a member that is known, and could not be had.
type Trial struct {
	Peer   peer.ID
	Addrs  []ma.Multiaddr
	Failed int   // attempts in a row
	Err    error // of the last one; nil: it was connected, and went at once
}

// Trials lists those that are not connected and have been dialled in vain, strangers
// left out: the members of the settings first, then those with the fewest attempts.
func (f *Finder) Trials() (out []Trial) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rank := func(t Trial) int {
		if f.targets[t.Peer].bootstrap() {
			return 0
		}
		return 1
	}
	for p, t := range f.targets {
		if !t.connected && t.failed > 0 && !f.cfg.Stranger(p) {
			out = append(out, Trial{p, slices.Concat(t.fixed, t.own, t.heard), t.failed, t.err})
		}
	}
	slices.SortFunc(out, func(a, b Trial) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Failed, b.Failed), cmp.Compare(a.Peer, b.Peer))
	})
	return out
}

// complainEvery spaces out what is logged about a bootstrap member, in failed attempts.
const complainEvery = 40 // about ten minutes

// complain logs now and then that a member of the settings cannot be had.
func (f *Finder) complain(ctx context.Context, p peer.ID, failed int, err error) {
	switch {
	case ctx.Err() != nil || failed%complainEvery != 3:
	case f.cfg.Stranger(p):
		f.cfg.Log.Warn("bootstrap peer belongs to another realm, or to none yet", telemetry.KeyPeer, p)
	case err != nil:
		f.cfg.Log.Warn("bootstrap member cannot be reached; trying on", telemetry.KeyPeer, p, telemetry.Error(err))
	}
}

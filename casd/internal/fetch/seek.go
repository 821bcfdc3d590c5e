package fetch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// seek asks meshd who may have the blob, now and again: members come up, and get it.
func (t *transfer) seek(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		found, err := t.parts.Providers(ctx, t.blob)
		if ctx.Err() != nil {
			return
		}
		for _, p := range found {
			t.add(p, false)
		}
		t.mu.Lock()
		t.sought, t.seekErr = t.sought || err == nil, err
		t.look()
		t.mu.Unlock()
		if err != nil {
			t.parts.Log.Debug("meshd does not say who has a blob; asking again", telemetry.KeyBlob, t.blob.String(), telemetry.Error(err))
		} else {
			pause = t.cfg.Seek
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// waitFor is how long one that fetches the blob, too, may take to find somebody that
// has it, where nobody else is known that has.
const waitFor = 2 * time.Second

// verdict is why the blob cannot be had; nil while it may be. Errors: [ErrNoProvider]
// when asking again is of no use, [ErrUnreachable] when it may be, or a local one.
func (t *transfer) verdict(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fatal != nil {
		return t.fatal
	}
	count := map[state]int{}
	for _, s := range t.sources {
		count[s.state]++
	}
	useful := t.useful()
	idle := now.Sub(t.moved)
	if idle < waitFor {
		useful += count[stateWaiting]
	}
	if t.plan != nil && useful == 0 && count[stateAsking]+count[stateQueued] == 0 && count[stateDiffers] > 0 &&
		(count[stateAway] == 0 || idle > t.cfg.Stall) {
		t.replan() // who goes by the index begun with cannot finish it
		return nil
	}
	switch over := idle > t.cfg.Patience; {
	case !t.sought && (t.seekErr == nil || !over):
		return nil
	case !t.sought:
		return fmt.Errorf("%w: ask the mesh for members: %w", ErrUnreachable, t.seekErr)
	case len(t.sources) == 0:
		return fmt.Errorf("%w: push it again, or start a member that has it", ErrNoProvider)
	case useful+count[stateAsking]+count[stateQueued]+count[stateAway]+count[stateDiffers] == 0:
		return fmt.Errorf("%w: %s", ErrNoProvider, t.explain())
	case over:
		return fmt.Errorf("%w: %s", ErrUnreachable, t.explain())
	}
	return nil
}

// useful is how many sources have a chunk that is missing, or may get one. mu is held.
func (t *transfer) useful() int {
	n := 0
	for _, s := range t.sources {
		if t.in(s) && (!s.silent || t.plan.wants(s.offer)) {
			n++
		}
	}
	return n
}

// explain lists what is wrong with whom. mu is held.
func (t *transfer) explain() string {
	var out []string
	for p, s := range t.sources {
		switch {
		case s.why != nil:
			out = append(out, p.Short()+": "+s.why.Error())
		case s.state == stateWaiting:
			out = append(out, p.Short()+": fetches it, too")
		case s.state == stateJoined:
			out = append(out, p.Short()+": has only a part of it")
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// report tells how the transfer stands.
func (t *transfer) report(now time.Time) api.Transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := api.Transfer{BlobInfo: api.BlobInfo{SHA256: t.blob, Size: t.size}, Began: t.began}
	r.Rate, _ = t.meter.rate(now)
	if t.plan != nil {
		r.Size = t.plan.idx.Size
		r.Done = r.Size - t.plan.left
	}
	for _, s := range t.sources {
		r.Sources = append(r.Sources, t.stands(s, now))
	}
	slices.SortFunc(r.Sources, func(a, b api.TransferSource) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return r
}

// stands is how a source stands, for people. mu is held.
func (t *transfer) stands(s *source, now time.Time) api.TransferSource {
	out := api.TransferSource{Peer: s.peer, Bytes: s.sent}
	out.Rate, _ = s.wall.rate(now)
	if s.why != nil {
		out.Why = s.why.Error()
	}
	switch s.state {
	case stateOut:
		out.State = "dropped"
	case stateLacks:
		out.State = "lacks it"
	case stateAway:
		out.State = "away"
	case stateDiffers:
		out.State = "idle"
	default:
		out.State = "idle"
		if t.in(s) && len(s.offer.asked) > 0 {
			out.State = "active"
			if t.slow(s, now) {
				out.State = "slow"
			}
		}
	}
	return out
}

// slow reports whether s sends less than an eighth of what the fastest sends. mu is
// held.
func (t *transfer) slow(s *source, now time.Time) bool {
	best := 0.0
	for _, o := range t.plan.offers {
		r, _ := o.meter.rate(now)
		best = max(best, r)
	}
	r, known := s.offer.meter.rate(now)
	return known && r < best/8
}

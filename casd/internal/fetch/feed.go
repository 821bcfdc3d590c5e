package fetch

import (
	"context"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// gather is for how long changes are gathered into one line. A longer time makes
// fetchers ask the seed for the same chunks, a shorter one costs more lines.
const gather = 15 * time.Millisecond

// feed tells followers which chunks a transfer has, and what changes.
type feed struct {
	mu      sync.Mutex
	index   api.Digest
	lot     uint64
	chunks  int
	at      bits    // those that were here when the feed began
	events  []event // since
	changed chan struct{}
	whole   bool
	ended   bool
}

func newFeed(index api.Digest, lot uint64, p *plan) *feed {
	f := &feed{index: index, lot: lot, chunks: len(p.chunks), at: newBits(len(p.chunks)), changed: make(chan struct{})}
	for c := range p.chunks {
		if p.chunks[c].here {
			f.at.set(int32(c)) //nolint:gosec // at most api.MaxChunks
		}
	}
	return f
}

func (f *feed) add(e event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
	f.wake()
}

// end is the last that followers hear.
func (f *feed) end(whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole, f.ended = whole, true
	f.wake()
}

func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// first is where a follower begins.
func (f *feed) first(l *Lines) api.Have {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := api.Have{Index: f.index, Chunks: f.chunks, Whole: f.whole}
	l.done = f.ended
	if f.whole {
		return h
	}
	has := append(bits(nil), f.at...)
	now := f.since(0)
	for _, c := range now.Got {
		has.set(int32(c)) //nolint:gosec // at most api.MaxChunks
	}
	h.Has, h.Busy, h.Lot, l.seen = has, now.Busy, f.lot, len(f.events)
	return h
}

func (f *feed) next(ctx context.Context, l *Lines) (api.Have, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		if err := f.wait(ctx, l); err != nil {
			return api.Have{}, err
		}
	}
	h := f.since(l.seen)
	h.Whole, l.seen, l.done = f.whole, len(f.events), f.ended
	return h, nil
}

// wait returns a moment after something has changed. It lets go of mu meanwhile.
func (f *feed) wait(ctx context.Context, l *Lines) error {
	if len(f.events) == l.seen {
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		f.mu.Lock()
	}
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-time.After(gather):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// since sums up the events from the nth on: of each chunk the last one counts.
func (f *feed) since(n int) api.Have {
	last := make(map[int32]eventKind, len(f.events)-n)
	for _, e := range f.events[n:] {
		last[e.chunk] = e.kind
	}
	var h api.Have
	for c, kind := range last {
		switch kind {
		case eventGot:
			h.Got = append(h.Got, int(c))
		case eventBusy:
			h.Busy = append(h.Busy, int(c))
		case eventIdle:
			h.Idle = append(h.Idle, int(c))
		}
	}
	return h
}

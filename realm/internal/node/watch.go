package node

import (
	"context"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// watch gathers the events of several buckets into one snapshot.
type watch struct {
	mu      sync.Mutex
	synced  map[string]bool
	missing int // sources that are not synced
	fn      func(Snapshot) error
	changed chan struct{} // holds one when there is something to tell; nil: each change is told at once
	wanted  *wanted       // nil: intents are not watched
	Snapshot
}

func (w *watch) event(ctx context.Context, s source, ev bus.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev.Kind {
	case bus.Reset:
		s.reset()
		if w.synced[s.id()] {
			w.synced[s.id()] = false
			w.missing++
		}
	case bus.Synced:
		if !w.synced[s.id()] {
			w.synced[s.id()] = true
			w.missing--
		}
	default:
		s.entry(ev)
	}
	if w.changed == nil || w.missing > 0 {
		return w.tell(ctx)
	}
	select {
	case w.changed <- struct{}{}:
	default: // it is to be told already
	}
	return nil
}

// tell calls fn, if all is known; w.mu is held.
func (w *watch) tell(ctx context.Context) error {
	if w.missing > 0 || ctx.Err() != nil {
		return nil //nolint:nilerr // what the end of ctx breaks off is no error
	}
	if w.wanted != nil {
		w.wanted.settle() //nolint:contextcheck // reading intents waits for nothing
	}
	return w.fn(w.Snapshot)
}

// pace tells of changes, with a pause after each time, until ctx ends.
func (w *watch) pace(ctx context.Context, pause time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
		}
		w.mu.Lock()
		err := w.tell(ctx)
		w.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (w *watch) resetPeers() { clear(w.Peers) }
func (w *watch) resetFacts() { clear(w.Facts) }

// peerRecord gives a record the method that [api.DecodeFact] asks for.
type peerRecord api.PeerRecord

func (p *peerRecord) Validate() error { return p.PeerFact.Validate() }

// What cannot be read is left out: it is another version's, and the daemons log it.

func (w *watch) peer(ev bus.Event) {
	id := api.PeerID(ev.Key)
	var p peerRecord
	if ev.Kind == bus.Deleted || api.DecodeFact(ev.Value, api.MaxMessage, &p) != nil {
		delete(w.Peers, id)
		return
	}
	w.Peers[id] = api.PeerRecord(p)
}

func (w *watch) fact(ev bus.Event) {
	ref, peer, ok := api.ParseKeyWorkload(ev.Key)
	if !ok {
		return
	}
	var f api.WorkloadFact
	if ev.Kind == bus.Deleted || api.DecodeFact(ev.Value, api.MaxMessage, &f) != nil {
		delete(w.Facts[ref], peer)
		return
	}
	if w.Facts[ref] == nil {
		w.Facts[ref] = map[api.PeerID]api.WorkloadFact{}
	}
	w.Facts[ref][peer] = f
}

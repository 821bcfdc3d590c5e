package intents

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Projection is where the node's other daemons read what counts: under the key of
// each slot the envelope of its newest version.
type Projection interface {
	// All returns everything in it, whoever has written it.
	All(ctx context.Context) (map[string][]byte, error)
	// Apply sets the keys of puts and removes deletes. After an error any of them may
	// have been done.
	Apply(ctx context.Context, puts map[string][]byte, deletes []string) error
}

// Waits between tries of a projection that fails: the bus is on its way back.
const (
	retryFirst = 200 * time.Millisecond
	retryMost  = 5 * time.Second
)

// projector brings the projection to what the set says.
type projector struct {
	keeper *Keeper
	wake   chan struct{}
	ready  chan struct{} // closed when it has been reconciled once

	shown map[ledger.Slot]api.Digest // by run alone

	mu     sync.Mutex
	reset  bool // compare everything
	dirty  map[ledger.Slot]struct{}
	marks  uint64        // how often something was marked
	tried  uint64        // marks whose writing has been tried
	next   chan struct{} // closed with the next try
	opened bool          // ready is closed
}

func newProjector(k *Keeper) *projector {
	p := &projector{keeper: k, wake: make(chan struct{}, 1), ready: make(chan struct{}), reset: true,
		dirty: map[ledger.Slot]struct{}{}, next: make(chan struct{}), shown: map[ledger.Slot]api.Digest{}}
	p.poke()
	if k.cfg.Projection == nil {
		p.opened = true
		close(p.ready)
	}
	return p
}

// Reset has the projection compared with the set: it may have been put back or
// emptied. It does not block.
func (k *Keeper) Reset() {
	k.show.mu.Lock()
	k.show.reset = true
	k.show.mu.Unlock()
	k.show.poke()
}

// AwaitReady waits until what the projection held at the start has been taken.
func (k *Keeper) AwaitReady(ctx context.Context) error {
	select {
	case <-k.show.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the node has not read its bus yet: try again: %w", context.Cause(ctx))
	}
}

func (p *projector) poke() {
	select {
	case p.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// mark has the slots that c is about written.
func (p *projector) mark(c ledger.Change) {
	p.mu.Lock()
	for _, s := range c.Added {
		p.dirty[s.Slot()] = struct{}{}
	}
	for _, s := range c.Dropped {
		p.dirty[s.Slot()] = struct{}{}
	}
	p.marks++
	p.mu.Unlock()
	p.poke()
}

// await waits until all that was marked before has been tried, for a while.
func (p *projector) await(ctx context.Context, limit time.Duration) {
	if p.keeper.cfg.Projection == nil {
		return
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	p.mu.Lock()
	want := p.marks
	p.mu.Unlock()
	for {
		p.mu.Lock()
		tried, next := p.tried, p.next
		p.mu.Unlock()
		if tried >= want {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		case <-timeout.C:
			return
		}
	}
}

// run writes until ctx ends.
func (p *projector) run(ctx context.Context) error {
	if p.keeper.cfg.Projection == nil {
		<-ctx.Done()
		return nil
	}
	wait := retryFirst
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		err := p.write(ctx)
		if err == nil {
			wait = retryFirst
			continue
		}
		if ctx.Err() == nil {
			p.keeper.cfg.Log.Warn("intents are not shown to this node's daemons yet", telemetry.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			wait = min(2*wait, retryMost)
			p.poke()
		}
	}
}

// write writes what is due. What fails stays due.
func (p *projector) write(ctx context.Context) error {
	p.mu.Lock()
	reset, dirty, marks := p.reset, p.dirty, p.marks
	p.reset, p.dirty = false, map[ledger.Slot]struct{}{}
	p.mu.Unlock()
	var err error
	if reset {
		err = p.reconcile(ctx)
	} else {
		err = p.writeSlots(ctx, dirty)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = marks
	close(p.next)
	p.next = make(chan struct{})
	if err != nil {
		p.reset = p.reset || reset
		for s := range dirty {
			p.dirty[s] = struct{}{}
		}
		return err
	}
	if reset && !p.opened {
		p.opened = true
		close(p.ready)
	}
	return nil
}

// writeSlots shows the newest version of some slots.
func (p *projector) writeSlots(ctx context.Context, slots map[ledger.Slot]struct{}) error {
	puts, shown := map[string][]byte{}, map[ledger.Slot]api.Digest{}
	var deletes []string
	now := p.keeper.cfg.Now()
	for slot := range slots {
		s, ok := p.keeper.ledger.Top(slot, now)
		switch {
		case !ok:
			deletes = append(deletes, slot.Key())
			delete(p.shown, slot)
		case p.shown[slot] != s.Digest:
			puts[slot.Key()], shown[slot] = s.Envelope, s.Digest
		}
	}
	if len(puts)+len(deletes) == 0 {
		return nil
	}
	if err := p.keeper.cfg.Projection.Apply(ctx, puts, deletes); err != nil {
		return err
	}
	for slot, d := range shown {
		p.shown[slot] = d
	}
	return nil
}

// reconcile takes from the projection what is missing in the set, and brings it in
// line with the set.
func (p *projector) reconcile(ctx context.Context) error {
	there, err := p.keeper.cfg.Projection.All(ctx)
	if err != nil {
		return err
	}
	if err := p.offer(there); err != nil { //nolint:contextcheck // it waits for the disk alone
		return err
	}
	puts, shown := map[string][]byte{}, map[ledger.Slot]api.Digest{}
	for slot, s := range p.keeper.ledger.Tops(p.keeper.cfg.Now()) {
		key := slot.Key()
		if string(there[key]) != string(s.Envelope) {
			puts[key] = s.Envelope
		}
		delete(there, key)
		shown[slot] = s.Digest
	}
	var deletes []string
	for key := range there {
		deletes = append(deletes, key)
	}
	if len(puts)+len(deletes) > 0 {
		if err := p.keeper.cfg.Projection.Apply(ctx, puts, deletes); err != nil {
			return err
		}
	}
	p.shown = shown
	return nil
}

// offer adds what is good in the projection and not held. An error means that it
// could not be kept, in which case nothing there may be removed.
func (p *projector) offer(there map[string][]byte) error {
	var unknown [][]byte
	for _, envelope := range there {
		if _, held := p.keeper.recall(envelope); !held {
			unknown = append(unknown, envelope)
		}
	}
	read, errs := Read(unknown)
	var good []intent.Signed
	for i, err := range errs {
		if err == nil {
			good = append(good, read[i])
		}
	}
	_, errs = p.keeper.Accept(good, ByBus)
	for _, err := range errs {
		if err != nil && !ledger.Refused(err) {
			return err
		}
	}
	return nil
}

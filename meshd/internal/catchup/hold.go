package catchup

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// A node that has never asked anybody waits for so many answers, or for so long
// after the first.
const (
	firstAnswers = 3
	firstWait    = 15 * time.Second
	turnWait     = 3 * time.Second
)

// First is what a node needs that has never been brought up to date.
type First struct {
	Pin trust.Pin
	// Known is how many other members the node has heard of, connected or not.
	Known func() int
	// Synced is called when it has been brought up to date, once.
	Synced func()
}

// hold gathers what the first members that are asked hold, in a set of its own.
type hold struct {
	first  First
	client Client // that gathers
	take   func(all []intent.Signed) []error
	turn   chan struct{} // one member after the other: the second is asked for the difference

	mu    sync.Mutex
	asked map[peer.ID]struct{}
	over  bool
	wake  chan struct{} // receives with every answer
}

// newHold makes a hold that takes in the end what c would take.
func newHold(c *Client, first First) *hold {
	set := ledger.New(first.Pin)
	h := &hold{first: first, turn: make(chan struct{}, 1), asked: map[peer.ID]struct{}{}, wake: make(chan struct{}, 1),
		client: Client{HTTP: c.HTTP, Ledger: set, Conduct: c.Conduct, Now: c.Now, Skew: c.Skew},
		take: func(all []intent.Signed) []error {
			_, errs := c.Accept("", all)
			return errs
		}}
	h.client.Accept = func(_ peer.ID, all []intent.Signed) (ledger.Change, []error) {
		change, errs := set.AddAll(all, c.Now())
		if change.Trust {
			h.client.TrustChanged()
		}
		return change, errs
	}
	return h
}

// active reports whether intents are still gathered.
func (h *hold) active() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.over
}

// ask gathers what p holds.
func (h *hold) ask(ctx context.Context, p peer.ID) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-time.After(turnWait): // one that is slow does not hold up the others
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := h.client.Intents(ctx, p)
	if err != nil && !errors.Is(err, errGarbage) && !errors.Is(err, errUnkept) {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[p] = struct{}{}
	return err
}

// answered has it looked at whether enough members were asked.
func (h *hold) answered() {
	select {
	case h.wake <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// run waits for enough answers, then takes what was gathered, and calls done.
func (h *hold) run(ctx context.Context, done func()) error {
	var timeout <-chan time.Time
	late := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-timeout:
			late = true
		}
		h.mu.Lock()
		asked := len(h.asked)
		h.mu.Unlock()
		if asked == 0 {
			continue
		}
		if timeout == nil {
			timeout = time.After(firstWait)
		}
		if !late && asked < min(firstAnswers, h.first.Known()) {
			continue
		}
		if h.release() {
			h.first.Synced()
			done()
			return nil
		}
		timeout = time.After(firstWait) // the disk, most likely
	}
}

// release takes what was gathered, in one batch. It reports whether all could be kept.
func (h *hold) release() bool {
	for _, err := range h.take(everything(h.client.Ledger)) {
		if err != nil && !ledger.Refused(err) {
			return false
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	return true
}

// everything is what l holds and passes on.
func everything(l *ledger.Ledger) []intent.Signed {
	parts := make([]int, api.SyncBuckets)
	for i := range parts {
		parts[i] = i
	}
	entries := l.Entries(parts)
	out := make([]intent.Signed, 0, len(entries))
	for _, e := range entries {
		if s, ok := l.Held(e.Digest); ok {
			out = append(out, s)
		}
	}
	return out
}

package casd

import (
	"context"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// handsEach is how many requests of one member are worked on at once: one is read from
// the disk while the other is sent. Its others wait, and take no memory.
const handsEach = 2

// hands bound what is worked on for each member.
type hands struct {
	mu   sync.Mutex
	each map[api.PeerID]*hand
}

type hand struct {
	slots chan struct{}
	users int // that have a slot or wait for one
}

func newHands() *hands { return &hands{each: map[api.PeerID]*hand{}} }

// take waits for a slot; done gives it back. The only error is that of ctx.
func (h *hands) take(ctx context.Context, p api.PeerID) (done func(), err error) {
	mine := h.enter(p)
	select {
	case mine.slots <- struct{}{}:
		return func() { <-mine.slots; h.leave(p, mine) }, nil
	case <-ctx.Done():
		h.leave(p, mine)
		return nil, ctx.Err()
	}
}

func (h *hands) enter(p api.PeerID) *hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := h.each[p]
	if mine == nil {
		mine = &hand{slots: make(chan struct{}, handsEach)}
		h.each[p] = mine
	}
	mine.users++
	return mine
}

func (h *hands) leave(p api.PeerID, mine *hand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(h.each, p)
	}
}

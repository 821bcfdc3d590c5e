package forward

import (
	"context"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Taker is who answered a request, for who looks on. It is safe for use by several
// goroutines.
type Taker struct {
	mu    sync.Mutex
	peer  api.PeerID
	tries int
}

// Taken is the member that was asked last, and after how many attempts; 0: nobody was.
func (t *Taker) Taken() (peer api.PeerID, tries int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer, t.tries
}

type takerKey struct{}

// Tell returns a context whose requests t is told of.
func Tell(ctx context.Context, t *Taker) context.Context {
	return context.WithValue(ctx, takerKey{}, t)
}

// asks tells whoever looks on that peer is asked.
func asks(ctx context.Context, peer api.PeerID) {
	t, ok := ctx.Value(takerKey{}).(*Taker)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peer = peer
	t.tries++
}

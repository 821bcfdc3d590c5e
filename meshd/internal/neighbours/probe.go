package neighbours

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/vigil"
)

// probe is one question whether a member is there, shared by all who ask at the time.
type probe struct {
	done chan struct{}
	err  error // once done is closed
}

// Probe asks a member by a ping whether it is there; all who ask at one time share one.
// [vigil.ErrSilent]: it has not answered within [ProbeTimeout]. The connection stays: it may be
// slow, and [Watch.Run] judges that.
func (w *Watch) Probe(ctx context.Context, p peer.ID) error {
	w.mu.Lock()
	q, asked := w.probes[p]
	if !asked {
		q = &probe{done: make(chan struct{})}
		w.probes[p] = q
	}
	w.mu.Unlock()
	if !asked {
		w.ask(ctx, p, q)
		return q.err
	}
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask finds out what q is about. It goes on when its caller leaves: others may wait.
func (w *Watch) ask(ctx context.Context, p peer.ID, q *probe) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ProbeTimeout)
	defer cancel()
	q.err = vigil.ErrSilent
	for _, c := range w.cfg.Host.Network().ConnsToPeer(p) {
		_, err := pingConn(ctx, c)
		// A node that is short of something itself learns nothing of the member.
		if err == nil || errors.Is(err, network.ErrResourceLimitExceeded) {
			q.err = nil
			break
		}
	}
	w.mu.Lock()
	delete(w.probes, p)
	w.mu.Unlock()
	close(q.done)
}

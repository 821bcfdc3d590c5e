package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// A member that is connected and is not known to listen gets nothing of what this
// node says first. Gossipsub v0.17 comes to that when a member's process is
// replaced so quickly that its new announcement is heard before the end of the old
// stream is: the end wipes the announcement out, and nobody makes it again. There
// is an event for a listener that leaves, and none for one that was never heard,
// hence the look at what is so.
const (
	listenersEvery = time.Second
	maxMisses      = 2 // looks in a row; a new member needs a moment to announce itself
)

// watchListeners connects anew to members that should listen and do not.
func (n *Node) watchListeners(ctx context.Context) error {
	tick := time.NewTicker(listenersEvery)
	defer tick.Stop()
	misses := map[peer.ID]int{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		misses = n.lookForListeners(misses)
	}
}

// lookForListeners counts on from the misses of the last look.
func (n *Node) lookForListeners(last map[peer.ID]int) map[peer.ID]int {
	misses := map[peer.ID]int{}
	if n.ownTwins(time.Now()) != nil {
		return misses // gossip cannot tell this node from the other with its key
	}
	for _, p := range n.watch.Members() {
		if n.gossip.Listens(p) {
			continue
		}
		if misses[p] = last[p] + 1; misses[p] < maxMisses {
			continue
		}
		delete(misses, p)
		n.cfg.Log.Info("member is deaf to gossip; connecting to it anew", telemetry.KeyPeer, p)
		_ = n.host.Network().ClosePeer(p) // what fails is closed already
	}
	return misses
}

package node

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Ways in which an intent comes in.
const (
	bySubmit = "submit"
	byGossip = "gossip"
	bySync   = "sync"
)

// Submit accepts an intent that was made on this node, tells the others and
// returns the digest of its payload. When it returns, the intent survives a crash.
func (n *Node) Submit(ctx context.Context, envelope []byte) (api.Digest, error) {
	s, news, err := n.accept(ctx, bySubmit, "", envelope)
	if err != nil {
		return api.Digest{}, err
	}
	if news {
		n.tell(ctx, s)
	}
	return s.Digest, nil
}

// accept is the one way into the ledger. from is who probably has what the intent
// names; "" for this node.
func (n *Node) accept(ctx context.Context, source string, from peer.ID, envelope []byte) (intent.Signed, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptWithin)
	defer cancel()
	s, news, err := n.ledger.Accept(ctx, envelope)
	n.cfg.Observe.Intent(source, news, err)
	if err == nil && news {
		n.cfg.Log.Info("intent accepted", telemetry.KeyWorkload, s.String(), telemetry.KeySeq, s.Seq, "by", source)
		n.hint(s, from)
	}
	return s, news, err
}

// hint remembers who may have the program of an intent.
func (n *Node) hint(s intent.Signed, from peer.ID) {
	id, err := p2p.ID(from)
	if err != nil || s.Tombstone {
		return
	}
	if w, err := s.Workload(); err == nil { // Open has checked it
		n.index.Hint(w.Program().Blob, id)
	}
}

// tell gossips an accepted intent. Nobody there, or a gossip that stops, is no
// failure: sync brings it to whoever comes.
func (n *Node) tell(ctx context.Context, s intent.Signed) {
	if err := n.gossip.Publish(ctx, api.TopicIntent(n.cfg.Pin.Realm), s.Envelope); err != nil {
		n.cfg.Log.Warn("intent is not gossiped; sync will spread it", telemetry.KeyWorkload, s.String(), telemetry.Error(err))
	}
}

// checkIntent judges gossip.
func (n *Node) checkIntent(_ peer.ID, data []byte) (gossip.Verdict, any) {
	s, news, err := n.ledger.Look(data)
	switch {
	case errors.Is(err, intent.ErrContent):
		return gossip.Ignore, nil // a newer version of Realm; who passes it on is not to blame
	case err != nil:
		return gossip.Reject, nil
	case !news:
		return gossip.Ignore, nil
	}
	return gossip.Accept, s.Envelope
}

func (n *Node) deliverIntent(ctx context.Context, author peer.ID, checked any) {
	_, _, err := n.accept(ctx, byGossip, author, checked.([]byte))
	if err == nil || errors.Is(err, intents.ErrOlder) || ctx.Err() != nil {
		return
	}
	n.cfg.Log.Warn("intent is not kept; trying again by sync", telemetry.KeyPeer, author, telemetry.Error(err))
	if n.watch.IsMember(author) {
		n.sync.Ask(author)
	}
}

func (n *Node) acceptSynced(ctx context.Context, p peer.ID, envelope []byte) (bool, error) {
	s, news, err := n.accept(ctx, bySync, p, envelope)
	if news && n.watch.Count() > 1 && n.spread.Allow() {
		n.tell(ctx, s)
	}
	return news, err
}

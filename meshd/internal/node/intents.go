package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

const (
	submitWithin = 10 * time.Second // disk and bus included
	maxArrived   = 1024             // intents heard by gossip that are kept together
	// replayAge is the age from which an intent that is known is not merely late.
	replayAge = 10 * time.Minute
)

// arrival is an intent that gossip has brought, checked.
type arrival struct {
	intent.Signed
	author peer.ID
}

// Submit accepts an intent that was made on this node, tells the others and
// returns its digest. When it returns, the intent survives a crash.
func (n *Node) Submit(ctx context.Context, envelope []byte) (api.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, submitWithin)
	defer cancel()
	s, news, err := n.keeper.Submit(ctx, envelope)
	n.cfg.Observe.Intent(string(intents.BySubmit), news, err)
	if err != nil {
		return api.Digest{}, err
	}
	if news {
		n.tell(ctx, s)
	}
	return s.Digest, nil
}

// SubmitAll is [Node.Submit] for several intents, of which all are accepted or none.
func (n *Node) SubmitAll(ctx context.Context, envelopes [][]byte) ([]api.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, submitWithin)
	defer cancel()
	all, news, err := n.keeper.SubmitAll(ctx, envelopes)
	if err != nil {
		n.cfg.Observe.Intent(string(intents.BySubmit), false, err)
		return nil, err
	}
	added := make(map[api.Digest]bool, len(news))
	for _, s := range news {
		added[s.Digest] = true
	}
	out := make([]api.Digest, 0, len(all))
	for _, s := range all {
		n.cfg.Observe.Intent(string(intents.BySubmit), added[s.Digest], nil)
		if added[s.Digest] {
			n.tell(ctx, s)
		}
		out = append(out, s.Digest)
	}
	return out, nil
}

// accept adds intents that others have sent. from says of each who probably has
// what it names.
func (n *Node) accept(by intents.Source, all []intent.Signed, from func(i int) peer.ID) (ledger.Change, []error) {
	c, errs := n.keeper.Accept(all, by)
	added := make(map[api.Digest]struct{}, len(c.Added))
	for _, s := range c.Added {
		added[s.Digest] = struct{}{}
	}
	for i, s := range all {
		_, news := added[s.Digest]
		n.cfg.Observe.Intent(string(by), news, errs[i])
		if news {
			n.cfg.Log.Debug("intent accepted", telemetry.KeyWorkload, s.String(), telemetry.KeySeq, s.Seq, "by", by)
			n.hint(from(i), s)
		}
	}
	if len(c.Added) > 0 {
		n.cfg.Log.Info("intents accepted", "count", len(c.Added), "by", by)
	}
	return c, errs
}

// hint remembers who may have the program of an intent.
func (n *Node) hint(from peer.ID, s intent.Signed) {
	id, err := p2p.ID(from)
	if err != nil || s.Tombstone || !s.Kind.Workload() {
		return
	}
	if w, err := s.Workload(); err == nil {
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
func (n *Node) checkIntent(m gossip.Message) (gossip.Verdict, any) {
	if n.sync.Holding() {
		return gossip.Ignore, nil // sync will bring it
	}
	s, err := n.keeper.Look(m.Data)
	switch {
	case err == nil:
		n.sync.Stir()
		return gossip.Accept, arrival{s, m.Author}
	case errors.Is(err, intents.ErrKnown):
		if n.cfg.Now().Sub(s.Issued) > replayAge {
			return gossip.Useless, nil
		}
		return gossip.Ignore, nil
	case errors.Is(err, ledger.ErrOlder):
		return gossip.Useless, nil
	case errors.Is(err, ledger.ErrUnauthorized): // who has passed it on knows more, or is to blame
		n.sync.Soon(m.From)
		n.sync.AskAll()
		return gossip.Useless, nil
	case errors.Is(err, intent.ErrSignature), errors.Is(err, ledger.ErrRealm), errors.Is(err, ledger.ErrForbidden):
		return gossip.Reject, nil
	case ledger.Refused(err), errors.Is(err, intent.ErrContent): // not the fault of who passes it on
		return gossip.Ignore, nil
	}
	return gossip.Garbage, nil
}

// deliverIntent hands over to keepArrived.
func (n *Node) deliverIntent(ctx context.Context, _ peer.ID, checked any) {
	select {
	case n.arrived <- checked.(arrival):
	case <-ctx.Done():
	}
}

// keepArrived keeps what gossip brings, as many at once as have come, until ctx ends.
func (n *Node) keepArrived(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-n.arrived:
			n.keepBatch(n.drain(a)) //nolint:contextcheck // it waits for the disk alone
		}
	}
}

func (n *Node) drain(first arrival) []arrival {
	all := []arrival{first}
	for len(all) < maxArrived {
		select {
		case a := <-n.arrived:
			all = append(all, a)
		default:
			return all
		}
	}
	return all
}

func (n *Node) keepBatch(batch []arrival) {
	all := make([]intent.Signed, 0, len(batch))
	for _, a := range batch {
		all = append(all, a.Signed)
	}
	_, errs := n.accept(intents.ByGossip, all, func(i int) peer.ID { return batch[i].author })
	for i, err := range errs {
		if err == nil || errors.Is(err, ledger.ErrOlder) {
			continue
		}
		n.cfg.Log.Warn("intent is not kept; trying again by sync", telemetry.KeyPeer, batch[i].author, telemetry.Error(err))
		n.sync.Stir()
	}
}

// acceptSynced takes what p, or several members at first, have sent when asked.
func (n *Node) acceptSynced(p peer.ID, all []intent.Signed) (ledger.Change, []error) {
	c, errs := n.accept(intents.BySync, all, func(int) peer.ID { return p })
	if n.watch.Count() > 1 {
		n.tellAll(c.Added)
	}
	return c, errs
}

package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// expireEvery is how often members of which nothing is heard any more are looked for.
const expireEvery = time.Second

// maxAddrs is how many addresses of another member are taken.
const maxAddrs = 32

// memberProtocol is what tells a member from a stranger.
func memberProtocol(r api.RealmID) protocol.ID { return protocol.ID(api.Protocol(r, api.ServiceSync)) }

// up, down and rtt are called by the watch, one after the other.
func (n *Node) up(p peer.ID) {
	id, err := p2p.ID(p)
	if err != nil {
		return // its key is of a kind that nodes do not have
	}
	n.heard.note(id)
	n.table.Up(id, time.Now())
	n.finder.Up(p)
	n.index.Up()
	n.sync.Ask(p)
}

func (n *Node) down(p peer.ID) {
	if id, err := p2p.ID(p); err == nil {
		n.table.Down(id, time.Now())
		n.clients.left(id)
		n.finder.Down(p)
	}
}

func (n *Node) rtt(p peer.ID, d time.Duration) {
	if id, err := p2p.ID(p); err == nil {
		n.table.RTT(id, d, time.Now())
	}
}

// checkFacts judges gossip.
func (n *Node) checkFacts(m gossip.Message) (gossip.Verdict, any) {
	id, err := p2p.ID(m.Author)
	if err != nil {
		return gossip.Reject, nil
	}
	b, err := facts.Decode(id, m.Data, api.MaxMessage)
	switch {
	case errors.Is(err, facts.ErrForeign):
		return gossip.Reject, nil
	case err != nil:
		return gossip.Garbage, nil
	case n.conduct.Said(m.Author, b.Epoch, b.Seq, api.Sum(m.Data)):
		return gossip.Ignore, nil
	case !n.table.Fresh(id, b):
		return gossip.Useless, nil // it was overtaken, or somebody has recorded it
	}
	return gossip.Accept, b
}

func (n *Node) deliverFacts(_ context.Context, author peer.ID, checked any) {
	id, err := p2p.ID(author)
	if err != nil {
		return
	}
	b := checked.(*api.FactBatch)
	if err := n.table.Merge(id, b, time.Now()); err != nil {
		if !errors.Is(err, facts.ErrStale) && !errors.Is(err, facts.ErrNoMember) {
			n.cfg.Log.Debug("facts are left aside", telemetry.KeyPeer, author, telemetry.Error(err))
		}
		return
	}
	n.told(author, b)
}

// mergeDirect takes facts that p has given when asked.
func (n *Node) mergeDirect(p peer.ID, b *api.FactBatch) error {
	id, err := p2p.ID(p)
	if err != nil {
		return err
	}
	if err := facts.CheckAuthor(id, b); err != nil {
		return err
	}
	if err := n.table.MergeDirect(id, b, time.Now()); err != nil {
		return err
	}
	n.told(p, b)
	return nil
}

// told has the finder know where a member says that it is.
func (n *Node) told(p peer.ID, b *api.FactBatch) {
	if b.Peer != nil {
		n.finder.Told(p, p2p.ParseAddrs(b.Peer.Addrs, maxAddrs))
	}
}

// met takes a member that a neighbour is connected to. What is said of it is kept
// only once it has said so itself.
func (n *Node) met(f api.PeerFact) {
	if f.Peer != n.self {
		n.heard.note(f.Peer)
	}
	if p, err := p2p.Decode(f.Peer); err == nil && !n.watch.IsMember(p) {
		n.finder.Hear(p, p2p.ParseAddrs(f.Addrs, maxAddrs))
	}
}

// gossipFacts tells others what has changed here, and everything now and then.
func (n *Node) gossipFacts(ctx context.Context) error {
	refresh := time.NewTimer(refreshIn())
	defer refresh.Stop()
	expire := time.NewTicker(expireEvery)
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-refresh.C:
			refresh.Reset(refreshIn())
			n.table.Repeat()
			continue
		case <-expire.C:
			n.table.Expire(time.Now())
			continue
		case <-n.table.Due():
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(coalesce):
		}
		batches, err := n.table.Batches()
		if err != nil {
			return err
		}
		for _, b := range batches {
			if err := n.gossip.Publish(ctx, api.TopicPeer(n.cfg.Pin.Realm), b); err != nil && ctx.Err() == nil {
				n.cfg.Log.Warn("facts are not gossiped; others will ask", telemetry.Error(err))
			}
		}
	}
}

// refreshIn spreads the refreshes of members that came up together.
func refreshIn() time.Duration { return facts.Refresh*3/4 + rand.N(facts.Refresh/2) }

// watchAddrs tells others when this node is reached elsewhere.
func (n *Node) watchAddrs(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.addrs.Out():
			if n.setAddrs() {
				n.cfg.Log.Info("addresses have changed", "addrs", p2p.Addrs(n.host))
				n.finder.NetworkChanged()
			}
		}
	}
}

// setAddrs takes the host's addresses into what this node says of itself.
func (n *Node) setAddrs() (changed bool) {
	addrs := p2p.Addrs(n.host)
	addrs = addrs[:min(len(addrs), maxAddrs)]
	if slices.Equal(n.table.Me().Addrs, addrs) {
		return false
	}
	n.table.ChangePeer(func(me *api.PeerFact) { me.Addrs = addrs })
	return true
}

package gossip

import (
	"errors"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/conduct"
)

var errFlood = errors.New("too many frames")

// inspect looks at a frame before any message in it is: what is beyond the rates of
// its sender goes, so that it costs no signature check and is not taken for seen
// when somebody else sends it.
func (g *Gossip) inspect(from peer.ID, rpc *pubsub.RPC) error {
	if !g.cfg.Conduct.Allow(from, conduct.Frames, 1, 0) {
		return errFlood
	}
	kept := rpc.Publish[:0]
	for _, m := range rpc.GetPublish() {
		// A node that was away for a moment is brought what it said itself before. Gossipsub
		// would hold that against who has only done what it was asked for.
		if peer.ID(m.GetFrom()) == g.self {
			continue
		}
		t, ok := g.topic(m.GetTopic())
		if ok && g.cfg.Conduct.Allow(from, t.PassedOn, 1, len(m.GetData())) {
			kept = append(kept, m)
		}
	}
	rpc.Publish = kept
	return nil
}

func (g *Gossip) topic(name string) (Topic, bool) {
	for _, t := range g.cfg.Topics {
		if t.Name == name {
			return t, true
		}
	}
	return Topic{}, false
}

// check is the validator of a topic.
func (g *Gossip) check(t Topic, m *pubsub.Message) pubsub.ValidationResult {
	author, from := m.GetFrom(), m.ReceivedFrom
	if author == g.self {
		if from == g.self {
			return pubsub.ValidationAccept
		}
		return pubsub.ValidationIgnore // an echo
	}
	v, checked := g.judge(t, Message{Author: author, From: from, Data: m.GetData()})
	g.cfg.Count(t.Name, v)
	m.ValidatorData = checked
	return v.result()
}

func (g *Gossip) judge(t Topic, m Message) (v Verdict, checked any) {
	switch {
	case len(m.Data) > t.Max:
		v = Garbage
	case !g.cfg.Member(m.Author):
		v = Ignore
		g.cfg.Missed(m.From)
	default:
		v, checked = t.Check(m)
	}
	switch v {
	case Useless:
		g.cfg.Conduct.Useless(m.From)
	case Reject:
		g.cfg.Conduct.Note(m.From, conduct.Rejected)
	case Garbage:
		g.cfg.Conduct.Note(m.From, conduct.Garbage)
	case Accept:
		if !g.cfg.Conduct.Allow(m.Author, t.Said, 1, len(m.Data)) {
			return Ignore, nil
		}
	case Ignore:
	}
	return v, checked
}

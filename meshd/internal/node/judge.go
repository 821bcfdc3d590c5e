package node

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// maxLearned is how many proofs wait to be kept. What is beyond comes by sync.
const maxLearned = 64

// learning is what the proof of a peer has brought.
type learning struct {
	from peer.ID
	news []intent.Signed
}

// judge says what a peer is that connects, in either direction: by what is known of
// it, and by the proof that it shows. It is called in every handshake.
func (n *Node) judge(p peer.ID, proof []byte) p2p.Standing {
	id, err := p2p.ID(p)
	if err != nil || n.conduct.Blocked(p) {
		return p2p.Stranger
	}
	pub, err := keys.OfPeer(id)
	if err != nil {
		return p2p.Stranger
	}
	v := n.ledger().Judge(pub, proof, n.cfg.Now())
	switch v.Standing {
	case api.StandingMember:
		if _, asks := joins(pub, proof); asks {
			return p2p.Guest // its answer is on the way, or was lost: it does not know yet
		}
		n.learn(p, v.Learned)
		return p2p.Member
	case api.StandingClient:
		if n.clients.let(id, v.Until) {
			notify(n.trust) // who waits for the next end must know
		}
		return p2p.Member
	case api.StandingJoining:
		return p2p.Guest
	}
	if errors.Is(v.Err, ledger.ErrRevoked) && n.explains(pub, proof) {
		return p2p.Guest
	}
	if errors.Is(v.Err, ledger.ErrRealm) {
		n.watch.Strange(p)
	}
	return p2p.Stranger
}

// explains reports whether proof is that of a joiner whose invite, or which itself,
// the owner has revoked. It is let in as a guest, to be told so.
func (n *Node) explains(node keys.Public, proof []byte) bool {
	invite, asks := joins(node, proof)
	if !asks {
		return false
	}
	held, err := n.ledger().Check(invite, n.cfg.Now())
	return held || err == nil || errors.Is(err, ledger.ErrRevoked)
}

// joins reports whether proof is that of node asking to be let in, and with which
// invite: nobody has countersigned what it shows.
func joins(node keys.Public, proof []byte) (invite intent.Signed, asks bool) {
	p, err := ledger.DecodeProof(proof)
	if err != nil {
		return invite, false
	}
	for _, raw := range p.Intents {
		s, err := intent.Read(raw)
		if err != nil || s.Kind != api.KindMember || s.Name != api.KeyName(node.Key()) {
			continue
		}
		if s.Witness != nil || s.Grant == nil {
			return invite, false
		}
		if invite, err = intent.Read(s.Grant); err == nil && invite.Kind == api.KindInvite && invite.Name == s.By() {
			asks = true
		}
	}
	return invite, asks
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// learn has what a proof brings kept. It does not block.
func (n *Node) learn(p peer.ID, news []intent.Signed) {
	if len(news) == 0 {
		return
	}
	select {
	case n.learned <- learning{p, news}:
	default: // it is shown again, and sync brings it
	}
}

// keepLearned keeps what proofs bring, until ctx ends, and passes on a little of it:
// others may not have met the new member.
func (n *Node) keepLearned(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-n.learned:
			n.tellAll(n.keep(l)) //nolint:contextcheck // it waits for the disk alone; gossip does not wait
		}
	}
}

// keep keeps what the proof of a peer has brought, and returns what of it was news.
func (n *Node) keep(l learning) []intent.Signed {
	c, _ := n.accept(intents.ByHandshake, l.news, func(int) peer.ID { return l.from }) // errors are counted there
	return c.Added
}

// tellWithin bounds what gossip takes.
const tellWithin = 5 * time.Second

// tellAll gossips intents, as far as the rate allows it; sync brings the others.
func (n *Node) tellAll(all []intent.Signed) {
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	for _, s := range all {
		if !n.spread.Allow() {
			return
		}
		n.tell(ctx, s)
	}
}

// terms says whether p is a member of this realm, or a client, as far as is known,
// and on which terms.
func (n *Node) terms(p api.PeerID) (facts.Terms, bool) {
	pub, err := keys.OfPeer(p)
	if err != nil {
		return facts.Terms{}, false
	}
	roles := n.ledger().Roles(pub, nil, n.cfg.Now())
	settings, _ := n.ledger().NodeSettings(pub, n.cfg.Now())
	if m, ok := n.ledger().Member(pub, n.cfg.Now()); ok {
		return facts.Terms{Roles: roles, Drained: settings.Drain}, m.Standing == api.StandingMember
	}
	if known, good := n.clients.has(p, n.cfg.Now()); known {
		return facts.Terms{Client: true}, good
	}
	id, err := p2p.Decode(p)
	// It has shown a proof, which is about to be kept.
	return facts.Terms{Roles: roles, Drained: settings.Drain}, err == nil && n.host.Standing(id) == p2p.Member
}

// isMember is [Node.terms] for the authors of gossip.
func (n *Node) isMember(author peer.ID) bool {
	id, err := p2p.ID(author)
	if err != nil {
		return false
	}
	_, ok := n.terms(id)
	return ok
}

// shunned reports whether p is not to be dialled: it is of another realm, or revoked.
func (n *Node) shunned(p peer.ID) bool {
	if n.watch.IsStranger(p) {
		return true
	}
	id, err := p2p.ID(p)
	if err != nil {
		return true
	}
	pub, err := keys.OfPeer(id)
	if err != nil {
		return true
	}
	m, ok := n.ledger().Member(pub, n.cfg.Now())
	return ok && m.Standing == api.StandingRevoked
}

package node

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

const (
	// trustSettle is how long changes of trust are gathered. Who is expelled by one has
	// been told of it by then, and a new member has its answer from the desk.
	trustSettle = 200 * time.Millisecond
	// trustEvery is how often everything is looked at without an occasion: times pass.
	trustEvery = 30 * time.Second
	// reopenOver spreads the members that have something new to show at the same time.
	reopenOver = 5 * time.Second
)

// Changed is told by the owner of the keeper of what has come into the set or gone
// from it ([intents.Config.Changed]).
func (n *Node) Changed(_ intents.Source, c ledger.Change) {
	n.needed.changed(c)
	if c.Trust {
		n.client.TrustChanged()
	}
	if c.Trust || slices.ContainsFunc(c.Added, ofNode) || slices.ContainsFunc(c.Dropped, ofNode) {
		notify(n.trust)
	}
}

// ofNode reports whether s says what a node is to do.
func ofNode(s intent.Signed) bool { return s.Kind == api.KindNode }

// watchTrust draws the conclusions when somebody's say has changed, until ctx ends or
// the node is to be opened again.
func (n *Node) watchTrust(ctx context.Context) error {
	n.review()
	for {
		wait := trustEvery
		if end := n.clients.next(n.cfg.Now()); !end.IsZero() {
			wait = min(wait, max(0, end.Sub(n.cfg.Now())))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.trust:
		case <-time.After(wait):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(trustSettle):
		}
		n.review()
		if again, soon := n.outdated(); again {
			return n.reopen(ctx, soon)
		}
	}
}

// review brings everything in line with who may do what.
func (n *Node) review() {
	n.follow()
	n.takeRoles()
	n.host.Recheck()
	n.table.Review()
	n.welcome()
	n.ownTwins(time.Now())
}

// welcome dials nodes that have knocked and are members now, which would try again by
// themselves only after a while.
func (n *Node) welcome() {
	for _, k := range n.knocks.pending(time.Now()) {
		if _, ok := n.terms(k.Peer); !ok {
			continue
		}
		if p, err := p2p.Decode(k.Peer); err == nil {
			n.finder.Hear(p, p2p.ParseAddrs([]string{k.Addr}, 1))
		}
	}
}

// follow keeps the owner's key when it has been replaced.
func (n *Node) follow() {
	pin := n.pin()
	if pin.Owner == n.pinned {
		return
	}
	if err := n.cfg.Repin(pin); err != nil {
		n.cfg.Log.Error("the owner's new key is not kept; trying again", telemetry.Error(err))
		return
	}
	n.cfg.Log.Info("the owner has a new key", "owner", pin.Owner.String())
	n.pinned = pin.Owner
}

// pin is the realm with the key that speaks for it now.
func (n *Node) pin() trust.Pin {
	return trust.Pin{Realm: n.cfg.Pin.Realm, Owner: n.ledger().Owner()}
}

// roles are what this node is: what the owner wants of it, else what its own settings say.
func (n *Node) roles() []string {
	return n.ledger().Roles(n.key, n.cfg.Fact.Roles, n.cfg.Now())
}

// takeRoles tells others when the roles of this node are others than before.
func (n *Node) takeRoles() {
	me, roles := n.table.Me(), n.roles()
	if slices.Equal(me.Roles, roles) {
		return
	}
	for _, r := range me.Roles {
		n.host.RemoveStreamHandler(p2p.RoleProtocol(n.cfg.Pin.Realm, r))
	}
	for _, r := range roles {
		n.host.SetStreamHandler(p2p.RoleProtocol(n.cfg.Pin.Realm, r), func(s network.Stream) { _ = s.Reset() })
	}
	n.cfg.Log.Info("roles have changed", "roles", roles)
	n.table.ChangePeer(func(me *api.PeerFact) { me.Roles = roles })
}

// show chooses the proof that this node shows. A client's is kept by nobody.
func (n *Node) show() (err error) {
	given, err := ledger.EncodeProof(n.cfg.Proof)
	if err != nil {
		return err
	}
	if n.cfg.Proof.Realm == n.cfg.Pin.Realm && n.ledger().Judge(n.key, given, n.cfg.Now()).Standing == api.StandingClient {
		n.shown, n.cfg.Fact.Client = given, true
		return nil
	}
	_, errs := n.keeper.Accept(readProof(n.cfg.Proof), intents.ByHandshake)
	if _, ok := n.ledger().Member(n.key, n.cfg.Now()); !ok && errors.Join(errs...) != nil {
		n.cfg.Log.Warn("the membership that was kept is of no use now", telemetry.Error(errors.Join(errs...)))
	}
	n.shown, err = ledger.EncodeProof(n.ledger().Proof(n.key, n.cfg.Now()))
	return err
}

// Membership is what this node shows of itself.
func (n *Node) Membership() api.Proof {
	p, err := ledger.DecodeProof(n.shown)
	if err != nil { // it was encoded here
		return api.Proof{Realm: n.cfg.Pin.Realm}
	}
	return p
}

// outdated reports whether what this node shows convinces nobody any more who knows
// the owner's key alone, and something else would; soon, if nothing did before.
func (n *Node) outdated() (yes, soon bool) {
	if n.cfg.Fact.Client || n.convinces(n.shown) {
		return false, false
	}
	p := n.ledger().Proof(n.key, n.cfg.Now())
	better, err := ledger.EncodeProof(p)
	if err != nil || bytes.Equal(better, n.shown) || !n.convinces(better) {
		return false, false
	}
	was, err := ledger.DecodeProof(n.shown)
	return true, err != nil || len(was.Intents) == 0
}

func (n *Node) convinces(proof []byte) bool {
	return ledger.New(n.pin()).Judge(n.key, proof, n.cfg.Now()).Standing == api.StandingMember
}

// reopen ends the node, after a while if all members may want to do that now.
func (n *Node) reopen(ctx context.Context, soon bool) error {
	if !soon {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(reopenOver)):
		}
	}
	return ErrReopen
}

// readProof reads what a node was given to show.
func readProof(p api.Proof) (out []intent.Signed) {
	for _, raw := range p.Intents {
		if s, err := intent.Read(raw); err == nil {
			out = append(out, s)
		}
	}
	return out
}

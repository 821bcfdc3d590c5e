package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newClaim(a *app) *cobra.Command {
	var code string
	var roles []string
	cmd := &cobra.Command{
		Use:   "claim ADDR",
		Short: "Make a node yours that waits for an owner",
		Long: `Take a node that was brought up with realm up --tofu into your realm, with the code
that it prints there. That works once, while the node listens for it, and whoever
types the code five times wrong ends that.

The node here speaks to it; where none is up, a client that is brought up for the
time of this command does.`,
		Example: `  realm claim /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN --code 7KXQ2-M9RTW
  realm claim /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN --code 7KXQ2-M9RTW --role edge`,
		Args: arguments("ADDR"),
	}
	cmd.Flags().StringVar(&code, "code", "", "the pairing code that the node has printed")
	cmd.Flags().StringSliceVar(&roles, "role", nil, "role that it has, and no others; may be repeated (default: those of its settings)")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		c := claim{addr: args[0], code: strings.TrimSpace(code), roles: roles}
		if err := c.check(); err != nil {
			return misused(cmd, err)
		}
		return a.claim(ctx, c)
	})
	return cmd
}

// claim is a node to take, and how.
type claim struct {
	addr, code string
	roles      []string
	node       keys.Public
}

func (c *claim) check() error {
	if err := addr.Check(c.addr); err != nil {
		return err
	}
	var err error
	if c.node, err = keys.OfPeer(api.PeerID(c.addr[strings.LastIndex(c.addr, "/")+1:])); err != nil {
		return err
	}
	switch {
	case c.code == "":
		return fmt.Errorf("--code is missing: realm up --tofu prints it on that machine")
	case len(c.code) > api.MaxCode:
		return fmt.Errorf("--code: %d characters are too many: it is the one that realm up --tofu prints on that machine", len(c.code))
	}
	return api.ValidateTags(c.roles)
}

// claimView is a node that was claimed, in JSON.
type claimView struct {
	Peer  api.PeerID  `json:"peer"`
	Realm api.RealmID `json:"realm"`
	Roles []string    `json:"roles"` // none: those of its settings
}

func (a *app) claim(ctx context.Context, c claim) error {
	w, err := a.where()
	if err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	if w.node != "" || node.Up(ctx, h) {
		return a.onNode(ctx, func(n *node.Node) error { return a.claimBy(ctx, n, c, true) })
	}
	return a.asClient(ctx, w, c.addr, true, func(ctx context.Context, n *node.Node) error { return a.claimBy(ctx, n, c, false) })
}

// claimBy has n speak to the node, and waits until that is here as a member. others:
// there are other members, to whom n can pass the membership on.
func (a *app) claimBy(ctx context.Context, n *node.Node, c claim, others bool) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	signed, err := s.Act(l, owner.Admit(c.node.Key(), c.roles), n.Now(), time.Now())
	if err != nil {
		return err
	}
	req, err := c.request(ctx, n, l, signed)
	if err != nil {
		return err
	}
	if err := n.Claim(ctx, req); err != nil {
		return fmt.Errorf("claim %s: %w", c.addr, err)
	}
	if others {
		if err := n.SubmitSigned(ctx, signed); err != nil {
			return err
		}
	}
	v := claimView{keys.Peer(c.node.Key()), s.pin.Realm, list(c.roles)}
	a.say("The node has taken you for its owner. Waiting for it to come as a member …")
	if err := awaitPeer(ctx, n, v.Peer); err != nil {
		return fmt.Errorf("the node is yours, but has not come as a member yet: %w: see realm peers", err)
	}
	return a.print(v, func() { fmt.Fprintf(a.out, "%s is a member of realm %s now.\n", v.Peer, v.Realm) })
}

// request tells the node whom to follow, what makes it a member, and whom to dial.
func (c claim) request(ctx context.Context, n *node.Node, l *ledger.Ledger, signed intent.Signed) (api.ClaimNode, error) {
	addrs, err := liveAddrs(ctx, n)
	if err != nil {
		return api.ClaimNode{}, err
	}
	req := api.ClaimNode{Addr: c.addr, ClaimRequest: api.ClaimRequest{
		Code: c.code, Realm: signed.Realm, Owner: api.KeyName(l.Owner().Key()), Addrs: addrs,
		Proof: api.Proof{Realm: signed.Realm, Intents: append(rotations(l, n.Now()), signed.Envelope)},
	}}
	return req, req.Validate()
}

// awaitPeer returns when the peer is connected as a member.
func awaitPeer(ctx context.Context, n *node.Node, id api.PeerID) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	seen := false
	err := n.Watch(watching, node.Scope{}, func(s node.Snapshot) error {
		if s.Peers[id].Connected {
			seen = true
			stop()
		}
		return nil
	})
	if err == nil && !seen {
		err = context.Cause(ctx)
	}
	return err
}

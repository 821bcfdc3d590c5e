package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/addr"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// inviteFlags are the limits of an invite, and what else goes into its token.
type inviteFlags struct {
	roles, bootstrap []string
	expires          span
	uses             int
	comment          string
	lan              bool
}

const (
	defaultInvite = 24 * time.Hour
	// maxLive is how many addresses of members a token gets by itself.
	maxLive = 8
	// maxOwnLive is how many of them are of the node that is asked.
	maxOwnLive = 4
)

func newInvite(a *app) *cobra.Command {
	f := inviteFlags{expires: span(defaultInvite)}
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Make a token with which other machines join the realm",
		Long: `Make a token, one word to paste, with which a machine joins: realm up --enroll TOKEN
there, or realm enroll TOKEN where a node is up. The first member that it reaches
lets it in, while the invite is good by that member's clock. Whoever has the token
can join: send it as you would send a password.

The token holds addresses of members: those of --bootstrap, and, where a node is up
here, its own and some of others. Only the token goes to standard output.`,
		Example: `  realm invite
  realm invite --role edge --uses 20 --expires 7d --comment sheds
  realm invite --lan                  # without a node here, for machines on one local network
  realm invite --bootstrap /dns4/shed.example/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN`,
		Args: arguments(),
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.roles, "role", nil, "role that the new members have, and no others; may be repeated (default: those of their settings)")
	fl.Var(&f.expires, "expires", "how long from now it is good, as in 12h or 30d")
	fl.IntVar(&f.uses, "uses", 1, "how many machines it is for; 0: any number")
	fl.StringSliceVar(&f.bootstrap, "bootstrap", nil, "address of a member for the new one to dial; may be repeated")
	fl.StringVar(&f.comment, "comment", "", "whom it is for, for people")
	fl.BoolVar(&f.lan, "lan", false, "without a node here: no address, members are found on the local network")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		limits, err := f.limits(time.Now())
		if err != nil {
			return misused(cmd, err)
		}
		return a.invite(ctx, cmd, limits, f)
	})
	cmd.AddCommand(newInviteList(a))
	return cmd
}

// limits checks the flags.
func (f inviteFlags) limits(now time.Time) (api.Invite, error) {
	for _, s := range f.bootstrap {
		if err := addr.Check(s); err != nil {
			return api.Invite{}, fmt.Errorf("--bootstrap: %w", err)
		}
	}
	if len(f.bootstrap) > invite.MaxAddrs {
		return api.Invite{}, fmt.Errorf("--bootstrap: at most %d addresses", invite.MaxAddrs)
	}
	limits := api.Invite{Roles: f.roles, Expires: now.Add(time.Duration(f.expires)).UTC().Truncate(time.Second), Uses: f.uses, Comment: f.comment}
	return limits, limits.Validate()
}

// inviteView is an invite in JSON.
type inviteView struct {
	Token string      `json:"token"`
	Key   api.Name    `json:"key"` // to revoke it by
	Realm api.RealmID `json:"realm"`
	api.Invite
	Addrs  []string `json:"addrs"`
	Listed bool     `json:"listed"` // members know of it before somebody uses it
}

func (a *app) invite(ctx context.Context, cmd *cobra.Command, limits api.Invite, f inviteFlags) error {
	w, err := a.where()
	if err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	if w.node != "" || node.Up(ctx, h) {
		return a.onNode(ctx, func(n *node.Node) error { return a.inviteBy(ctx, n, limits, f) })
	}
	if len(f.bootstrap) == 0 && !f.lan {
		return misused(cmd, fmt.Errorf("no node is up in %s, so the token would not say where members are: name one with --bootstrap ADDR (realm status shows it there), or, for machines on one local network, give --lan", h.Root()))
	}
	return a.inviteAlone(ctx, limits, f)
}

// inviteBy makes an invite with what a node knows, and has it listed.
func (a *app) inviteBy(ctx context.Context, n *node.Node, limits api.Invite, f inviteFlags) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	addrs, err := liveAddrs(ctx, n)
	if err != nil {
		return err
	}
	pin := trust.Pin{Realm: s.pin.Realm, Owner: l.Owner()}
	t, in, err := invite.New(s.Key.Signer(), pin, limits, rotations(l, n.Now()), time.Now())
	if err != nil {
		return err
	}
	if t.Addrs = addToList(f.bootstrap, addrs); len(t.Addrs) > invite.MaxAddrs {
		t.Addrs = t.Addrs[:invite.MaxAddrs]
	}
	if err := n.SubmitSigned(ctx, in); err != nil {
		return err
	}
	return a.printInvite(t, in.Name, limits, true)
}

// rotations are those that led to the owner's key, the first one first.
func rotations(l *ledger.Ledger, now time.Time) (out [][]byte) {
	for _, v := range slices.Backward(l.History(api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, now)) {
		out = append(out, v.Envelope)
	}
	return out
}

// inviteAlone makes an invite that nobody knows of until it is used.
func (a *app) inviteAlone(ctx context.Context, limits api.Invite, f inviteFlags) error {
	k, err := a.ownerKey(ctx)
	if err != nil {
		return err
	}
	if err := k.Ready(); err != nil {
		return err
	}
	t, in, err := invite.New(k.Signer(), k.Pin(), limits, nil, time.Now())
	if err != nil {
		return err
	}
	t.Addrs = f.bootstrap
	return a.printInvite(t, in.Name, limits, false)
}

func (a *app) printInvite(t invite.Token, key api.Name, limits api.Invite, listed bool) error {
	text, err := t.Encode()
	if err != nil {
		return err
	}
	v := inviteView{Token: text, Key: key, Realm: t.Realm, Invite: limits, Addrs: list(t.Addrs), Listed: listed}
	return a.print(v, func() {
		a.note("An invite for %s, good until %s. On the new machine:\n\n  realm up --enroll TOKEN      (where a node is up: realm enroll TOKEN)\n",
			usesText(limits.Uses), limits.Expires.Local().Format("Mon 2006-01-02 15:04"))
		if !listed {
			a.note("No node is up here, so realm invite ls has it once a machine has joined with it.")
		}
		a.note("To take it back: realm peers revoke %s\n", key)
		fmt.Fprintln(a.out, text)
	})
}

func usesText(n int) string {
	if n == 0 {
		return "any number of machines"
	}
	return plural(n, "machine")
}

// liveAddrs are where members are reached now: this node, if it is one that others
// can dial, and some that it is connected to.
func liveAddrs(ctx context.Context, n *node.Node) ([]string, error) {
	s, err := n.Look(ctx, node.Scope{})
	if err != nil {
		return nil, err
	}
	mesh, err := n.Mesh(ctx)
	if err != nil {
		return nil, err
	}
	if mesh.Standing == api.StandingClient {
		mesh.Addrs = nil
	}
	return pickAddrs(mesh.Addrs, s.PeerList()), nil
}

// pickAddrs takes the best of own, then one of each peer after the other, the
// nearest peers first.
func pickAddrs(own []string, peers []api.PeerRecord) []string {
	out := firstOf(bestAddrs(own), maxOwnLive)
	var others [][]string
	slices.SortFunc(peers, func(a, b api.PeerRecord) int {
		return cmp.Or(cmp.Compare(a.RTT, b.RTT), strings.Compare(string(a.Peer), string(b.Peer)))
	})
	for _, p := range peers {
		if p.Connected && !p.Self && !p.Client && len(p.Conflict) == 0 {
			others = append(others, reachable(p))
		}
	}
	for i := 0; len(out) < maxLive; i++ {
		more := false
		for _, addrs := range others {
			if i < len(addrs) && len(out) < maxLive {
				out, more = append(out, addrs[i]), true
			}
		}
		if !more {
			break
		}
	}
	return out
}

// reachable are the addresses of a member that are of use to others: none of its own
// loopback.
func reachable(p api.PeerRecord) (out []string) {
	for _, s := range bestAddrs(p.Addrs) {
		full := s + "/p2p/" + string(p.Peer)
		if !isLoopback(s) && addr.Check(full) == nil {
			out = append(out, full)
		}
	}
	return out
}

func isLoopback(s string) bool {
	return strings.HasPrefix(s, "/ip4/127.") || strings.HasPrefix(s, "/ip6/::1/")
}

func firstOf(all []string, n int) []string { return slices.Clone(all[:min(len(all), n)]) }

func newInviteList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the invites of the realm",
		Long: `List the invites of the realm, those that end last first: how many machines have
joined with each, and until when it is good. realm peers revoke takes one back.`,
		Example: `  realm invite ls
  realm invite ls --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				all, err := n.Members(ctx)
				if err != nil {
					return err
				}
				v := struct {
					Invites []api.InviteStatus `json:"invites"`
				}{append([]api.InviteStatus{}, all.Invites...)}
				return a.print(v, func() { a.printInvites(v.Invites, n.Now()) })
			})
		}),
	}
}

// readToken is the token in arg, or, for "-", on standard input.
func (a *app) readToken(ctx context.Context, arg string) (invite.Token, error) {
	if arg != "-" {
		return invite.Parse(arg)
	}
	if a.in == nil {
		return invite.Token{}, errors.New("there is nothing to read the token from: paste it as an argument, or give it on standard input")
	}
	text, err := answer(ctx, func() (string, error) {
		b, err := api.ReadAll(a.in, 2*invite.MaxToken)
		return string(b), err
	})
	if err != nil {
		return invite.Token{}, fmt.Errorf("read token: %w", err)
	}
	return invite.Parse(text)
}

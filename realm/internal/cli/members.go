package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// atLeast wants one argument or more.
func atLeast(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return misused(cmd, fmt.Errorf("%s is missing", name))
		}
		return nil
	}
}

func newAdmit(a *app) *cobra.Command {
	var roles []string
	cmd := &cobra.Command{
		Use:   "admit PEER...",
		Short: "Make nodes members of the realm",
		Long: `Sign that nodes are members, by their peer ids: those that wait (realm peers lists
them), that were revoked, or that have not come yet. With --role they have exactly
these roles, else those that their settings name.`,
		Example: `  realm peers admit 12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN
  realm peers admit 12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN --role edge`,
		Args:              atLeast("PEER"),
		ValidArgsFunction: a.completePeers(api.StandingPending, api.StandingRevoked),
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "role that they have, and no others; may be repeated")
	a.completeFlags(cmd)
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if err := api.ValidateTags(roles); err != nil {
			return misused(cmd, fmt.Errorf("--role: %w", err))
		}
		var nodes []keys.Public
		for _, arg := range args {
			k, err := keys.OfPeer(api.PeerID(arg))
			if err != nil {
				return misused(cmd, fmt.Errorf("%w: realm whoami says it on the node", err))
			}
			nodes = append(nodes, k)
		}
		return a.onNode(ctx, func(n *node.Node) error { return a.admit(ctx, n, nodes, roles) })
	})
	return cmd
}

// admittedView is a node that was admitted, in JSON.
type admittedView struct {
	Peer  api.PeerID `json:"peer"`
	Roles []string   `json:"roles"` // none: those of its settings
	Was   bool       `json:"was"`   // it was a member like that already
}

func (a *app) admit(ctx context.Context, n *node.Node, nodes []keys.Public, roles []string) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	v := struct {
		Admitted []admittedView `json:"admitted"`
	}{[]admittedView{}}
	for _, k := range nodes {
		m, ok := l.Member(k, n.Now())
		was := ok && m.Standing == api.StandingMember && m.By == "owner" && slices.Equal(m.Roles, roles)
		if !was {
			if _, err := n.Do(ctx, s.Signer, l, owner.Admit(k.Key(), roles)); err != nil {
				return err
			}
		}
		v.Admitted = append(v.Admitted, admittedView{keys.Peer(k.Key()), append([]string{}, roles...), was})
	}
	return a.print(v, func() {
		for _, p := range v.Admitted {
			if p.Was {
				fmt.Fprintf(a.out, "%s is a member already.\n", p.Peer)
			} else {
				fmt.Fprintf(a.out, "%s is a member now: if it is up, it comes within a minute.\n", p.Peer)
			}
		}
	})
}

func newRevoke(a *app) *cobra.Command {
	var drop, yes bool
	cmd := &cobra.Command{
		Use:   "revoke PEER|INVITE...",
		Short: "Put nodes out of the realm, or an invite with all that it let in",
		Long: `Sign that nodes are members no more (by their peer ids), or that an invite is void
(by its key, see realm invite ls), and with it the membership of all nodes that it
let in. Members shut them out as soon as they hear of it.

Other members that a revoked node has let in stay: you sign for them before. With
--drop you do not, and they are out, too. Who goes that was not named is listed, and
asked for, unless with --yes.`,
		Example: `  realm peers revoke 12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN
  realm peers revoke pgh5qfdhhqcxbyhdksrvmxqgjt7clphmqpfkybqwvwz2qdkgq2za --yes`,
		Args:              atLeast("PEER or INVITE"),
		ValidArgsFunction: a.completeRevocable(),
	}
	cmd.Flags().BoolVar(&drop, "drop", false, "do not sign for those whom a revoked node has let in")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		refs, err := parseRevoked(args)
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error { return a.revoke(ctx, n, refs, drop, yes) })
	})
	return cmd
}

// parseRevoked reads peer ids and keys of invites, in either form.
func parseRevoked(args []string) ([]api.Ref, error) {
	var refs []api.Ref
	for _, arg := range args {
		if node, err := keys.OfPeer(api.PeerID(arg)); err == nil {
			refs = append(refs, owner.MemberRef(node))
			continue
		}
		key, err := keys.ParsePublic(arg)
		if err != nil {
			pub, nameErr := api.ParseKeyName(api.Name(arg))
			if nameErr != nil {
				return nil, fmt.Errorf("%.80q: want a peer id (realm peers) or the key of an invite (realm invite ls)", arg)
			}
			key = keys.Public(pub)
		}
		refs = append(refs, owner.InviteRef(key))
	}
	return refs, nil
}

// revokedView is what was revoked, and what came of it, in JSON.
type revokedView struct {
	Revoked []string      `json:"revoked"` // peer ids and keys of invites
	Out     []api.PeerID  `json:"out"`     // other nodes that are no members any more
	Adopted []adoptedView `json:"adopted"` // members that the owner has signed for
	Exposed []secretView  `json:"exposed"` // secrets that those which are out could read
}

func (a *app) revoke(ctx context.Context, n *node.Node, refs []api.Ref, drop, yes bool) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	var signed []intent.Signed
	for _, r := range refs {
		if err := mayRevoke(l, r, n.Now()); err != nil {
			return err
		}
		in, err := s.Act(l, owner.Revoke(r), n.Now(), time.Now())
		if err != nil {
			return err
		}
		signed = append(signed, in)
	}
	stay, out := split(owner.LossBy(s.pin, l, signed, n.Now()), refs, drop)
	if err := a.confirmOut(ctx, n, yes, refs, out); err != nil {
		return err
	}
	seen, err := lookAtAll(ctx, n)
	if err != nil {
		return err
	}
	v := revokedView{Out: []api.PeerID{}, Exposed: []secretView{}}
	v.Exposed = append(v.Exposed, exposed(seen, l, outOf(refs, out), n.Now())...)
	if v.Adopted, err = a.adopt(ctx, n, s, l, stay); err != nil {
		return err
	}
	for _, in := range signed {
		if err := n.SubmitSigned(ctx, in); err != nil {
			return err
		}
		v.Revoked = append(v.Revoked, subject(in.Ref))
	}
	for _, m := range out {
		v.Out = append(v.Out, m.Peer)
	}
	return a.print(v, func() {
		for _, r := range v.Revoked {
			fmt.Fprintf(a.out, "%s is revoked.\n", r)
		}
		for _, p := range v.Out {
			fmt.Fprintf(a.out, "  with it %s is out\n", p)
		}
		for _, m := range v.Adopted {
			fmt.Fprintf(a.out, "  %s stays, admitted by you\n", subject(m.Ref))
		}
		if len(v.Exposed) > 0 {
			fmt.Fprintln(a.out, "These secrets could be read there. Change them where they are used, and set them anew:")
		}
		for _, s := range v.Exposed {
			fmt.Fprintf(a.out, "  %s, version %d, set %s: realm secret set %s\n", s.Name, s.Version, s.Issued.Local().Format("2006-01-02 15:04"), s.Name)
		}
	})
}

// outOf are the nodes that a revocation of refs puts out, and those that go with them.
func outOf(refs []api.Ref, with []api.Member) (out []api.PeerID) {
	for _, r := range refs {
		if pub, err := api.ParseKeyName(r.Name); err == nil && r.Kind == api.KindMember {
			out = append(out, keys.Peer(pub))
		}
	}
	for _, m := range with {
		out = append(out, m.Peer)
	}
	return out
}

// mayRevoke says why there is nothing to revoke.
func mayRevoke(l *ledger.Ledger, r api.Ref, now time.Time) error {
	if r.Kind == api.KindInvite {
		cur, ok := l.Current(r, now)
		switch {
		case !ok:
			return fmt.Errorf("%s: there is no such invite: realm invite ls lists them", r.Name)
		case cur.Tombstone:
			return fmt.Errorf("%s was revoked already", r.Name)
		}
		return nil
	}
	pub, err := api.ParseKeyName(r.Name)
	if err != nil {
		return err
	}
	switch m, ok := l.Member(keys.Public(pub), now); {
	case !ok:
		return fmt.Errorf("%s is no member: realm peers lists them", subject(r))
	case m.Standing == api.StandingRevoked:
		return fmt.Errorf("%s was revoked already", subject(r))
	}
	return nil
}

// subject is what a Ref about a key is about, as people write it.
func subject(r api.Ref) string {
	pub, err := api.ParseKeyName(r.Name)
	if err != nil || r.Kind != api.KindMember {
		return string(r.Name)
	}
	return string(keys.Peer(pub))
}

// split divides whom a revocation takes with it: an invite takes those whom it has
// let in; others stay unless they are dropped. Of those that stay, the ones whose
// witness stays, too, need nothing.
func split(loss owner.Loss, revoked []api.Ref, drop bool) (stay owner.Loss, out []api.Member) {
	for _, m := range loss.Members {
		byIt := slices.Contains(revoked, api.Ref{Kind: api.KindInvite, Name: api.Name(m.By)})
		if byIt || drop {
			out = append(out, m)
		} else {
			stay.Members = append(stay.Members, m)
		}
	}
	kept := slices.Clone(stay.Members)
	stay.Members = slices.DeleteFunc(stay.Members, func(m api.Member) bool {
		return slices.ContainsFunc(kept, func(w api.Member) bool { return w.Peer == m.Witness })
	})
	return stay, out
}

// confirmOut asks for what a person may not have meant: nodes that were not named,
// and the node here.
func (a *app) confirmOut(ctx context.Context, n *node.Node, yes bool, refs []api.Ref, out []api.Member) error {
	if yes {
		return nil
	}
	var text []string
	if here, err := n.Self(); err == nil && slices.Contains(refs, owner.MemberRef(here)) {
		text = append(text, "This is the node here: it will be out of the realm, and this machine will need another to sign on.")
	} else if err != nil {
		return err
	}
	if len(out) > 0 {
		text = append(text, fmt.Sprintf("With it %s out:", areText(len(out))))
		for _, m := range out {
			text = append(text, "  "+string(m.Peer))
		}
	}
	if len(text) == 0 {
		return nil
	}
	return a.confirm(ctx, false, strings.Join(text, "\n")+"\n")
}

func areText(n int) string {
	if n == 1 {
		return "1 more node is"
	}
	return fmt.Sprintf("%d more nodes are", n)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

func newGrantList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the grants of the realm",
		Long:  "List the keys that may sign something in the realm of this node, the newest first, with what they may and how many names they use.",
		Example: `  realm grant ls
  realm grant ls --json`,
		Args: arguments(),
		RunE: a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.onNode(ctx, func(n *node.Node) error {
				all, err := n.Members(ctx)
				if err != nil {
					return err
				}
				v := struct {
					Grants []api.GrantStatus `json:"grants"`
				}{append([]api.GrantStatus{}, all.Grants...)}
				return a.print(v, func() { a.printGrants(v.Grants, n.Now()) })
			})
		}),
	}
}

func (a *app) printGrants(all []api.GrantStatus, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(a.out, "No grants: only the owner signs. See realm help grant.")
		return
	}
	rows := [][]string{{"FOR", "MAY", "NAMES", "TAGS", "ENDS", "USED", "KEY"}}
	for _, g := range all {
		var may []string
		for _, r := range g.May {
			may = append(may, string(r))
		}
		names := "any"
		if g.Prefix != "" {
			names = g.Prefix + "…"
		}
		rows = append(rows, []string{orDash(clip(oneLine(g.Comment), maxSigner)), strings.Join(may, ","), names,
			orElse(strings.Join(g.Tags, ","), "any"), endText(g.Expires, g.Revoked, now), fmt.Sprint(g.Names), keyText(g.Key)})
	}
	table(a.out, rows)
}

// endText says when something ends, or that it has.
func endText(t time.Time, revoked bool, now time.Time) string {
	switch {
	case revoked:
		return "revoked"
	case t.IsZero():
		return "never"
	case !now.Before(t):
		return "ended " + ageText(now, t) + " ago"
	}
	return "in " + ageText(t, now)
}

func newGrantRevoke(a *app) *cobra.Command {
	var drop bool
	cmd := &cobra.Command{
		Use:   "revoke KEY|COMMENT",
		Short: "Take a grant back",
		Long: `Sign that a granted key counts no more, for ever and on every node. What it has
signed and still stands is signed by you before, so that it goes on; with --drop it
is not, and ends. The same key cannot be granted again.`,
		Example: `  realm grant revoke builds
  realm grant revoke ed25519:4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS --drop`,
		Args:              arguments("KEY"),
		ValidArgsFunction: a.completeGrants,
	}
	cmd.Flags().BoolVar(&drop, "drop", false, "let what it has signed end")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, args []string) error {
		return a.onNode(ctx, func(n *node.Node) error { return a.revokeGrant(ctx, n, args[0], drop) })
	})
	return cmd
}

func (a *app) revokeGrant(ctx context.Context, n *node.Node, arg string, drop bool) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	key, err := findGrant(l.Grants(), arg)
	if err != nil {
		return err
	}
	v := grantView{Key: key, Warnings: []string{}}
	if v.Grant, err = grantOf(l, key, n.Now()); errors.Is(err, errGrantRevoked) {
		return fmt.Errorf("%s was revoked already", key)
	}
	if err != nil {
		return err
	}
	if _, err := a.replaceGrant(ctx, n, s, l, owner.Revoke(owner.GrantRef(key)), drop, &v); err != nil {
		return err
	}
	return a.print(v, func() {
		fmt.Fprintf(a.out, "%s counts no more.\n", key)
		a.printAdopted(v.Adopted, v.Dropped)
	})
}

// findGrant is the key of the grant that arg means: the key in either form, or a
// comment that one grant alone has.
func findGrant(all []api.GrantStatus, arg string) (keys.Public, error) {
	var found []api.GrantStatus
	for _, g := range all {
		if keyText(g.Key) == arg || string(g.Key) == arg || g.Comment == arg && !g.Revoked {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 1:
		pub, err := api.ParseKeyName(found[0].Key)
		return keys.Public(pub), err
	case 0:
		return keys.Public{}, fmt.Errorf("%.80q: no grant has this key or comment: realm grant ls lists them", arg)
	}
	return keys.Public{}, fmt.Errorf("%.80q: %d grants have this comment: say which by its key, as realm grant ls shows it", arg, len(found))
}

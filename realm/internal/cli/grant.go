package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// grantFlags are what a key may do, as flags.
type grantFlags struct {
	may, tags       []string
	prefix, comment string
	expires         span
	out             string
	drop            bool
}

func newGrant(a *app) *cobra.Command {
	var f grantFlags
	cmd := &cobra.Command{
		Use:   "grant KEY",
		Short: "Let another key sign some things, or change what it may",
		Long: `Sign that a key (ed25519:…, as realm key show prints it) may push programs, or
submit jobs, within limits. Whoever holds it uses the same commands as you do; they
find the grant on the node that they ask. It never may change what you have signed.

For a key that has a grant, the flags that are given change it. What the key has
signed outside of its new rights is signed by you before, so that it goes on; with
--drop it is not, and ends.`,
		Example: `  realm grant ed25519:4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS --may push --prefix ci- --tag dev --expires 30d --comment builds
  realm grant ls
  realm grant revoke builds`,
		Args: arguments("KEY"),
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.may, "may", nil, "what it may sign: push, job, secret, volume; for a new grant it must be given")
	fl.StringVar(&f.prefix, "prefix", "", "what the names that it uses begin with (default: any)")
	fl.StringSliceVar(&f.tags, "tag", nil, "roles of the nodes that its programs may be for (default: any); may be repeated")
	fl.Var(&f.expires, "expires", "how long from now it may sign, as in 12h or 30d (default: without end)")
	fl.StringVar(&f.comment, "comment", "", "whose key it is, for people")
	fl.StringVar(&f.out, "out", "", "file to write the grant to, for a holder without a node (see --grant)")
	fl.BoolVar(&f.drop, "drop", false, "let what is outside of its new rights end")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		key, err := keys.ParsePublic(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error { return a.grant(ctx, cmd, n, key, f) })
	})
	cmd.AddCommand(newGrantList(a), newGrantRevoke(a))
	return cmd
}

// over lays the flags over the grant that is there.
func (f grantFlags) over(cmd *cobra.Command, g api.Grant, now time.Time) api.Grant {
	given := cmd.Flags().Changed
	if given("may") {
		g.May = nil
		for _, r := range f.may {
			g.May = append(g.May, api.Right(r))
		}
	}
	if given("prefix") {
		g.Prefix = f.prefix
	}
	if given("tag") {
		g.Tags = f.tags
	}
	if given("comment") {
		g.Comment = f.comment
	}
	if given("expires") {
		g.Expires = now.Add(time.Duration(f.expires)).UTC().Truncate(time.Second)
	}
	if g.Since.IsZero() {
		g.Since = now.UTC().Truncate(time.Second)
	}
	return g
}

// errGrantRevoked says that a key cannot have a grant any more.
var errGrantRevoked = errors.New("this key had a grant that was revoked, and a revoked key cannot be granted again: whoever may sign makes a new key (realm init, in an account or with a REALM_OWNER_KEY that has none yet), and you grant that")

// grantOf is the grant of key; the zero Grant for none.
func grantOf(l *ledger.Ledger, key keys.Public, now time.Time) (g api.Grant, err error) {
	cur, ok := l.Current(owner.GrantRef(key), now)
	switch {
	case !ok:
		return g, nil
	case cur.Tombstone:
		return g, errGrantRevoked
	}
	return g, json.Unmarshal(cur.Body, &g)
}

// grantView is a grant in JSON.
type grantView struct {
	Key      keys.Public   `json:"key"`
	Grant    api.Grant     `json:"grant"`
	Warnings []string      `json:"warnings"`
	Adopted  []adoptedView `json:"adopted"` // signed by the owner now
	Dropped  []api.Ref     `json:"dropped"` // ended
}

func (a *app) grant(ctx context.Context, cmd *cobra.Command, n *node.Node, key keys.Public, f grantFlags) error {
	s, l, err := a.ownerSigner(ctx, n)
	if err != nil {
		return err
	}
	if key == l.Owner() {
		return misused(cmd, errors.New("that is the owner's own key: it may sign anything"))
	}
	old, err := grantOf(l, key, n.Now())
	if err != nil {
		return err
	}
	v := grantView{Key: key, Grant: f.over(cmd, old, time.Now())}
	v.Warnings = overlaps(l.Grants(), key, v.Grant)
	if len(v.Grant.May) == 0 {
		return misused(cmd, fmt.Errorf("--may is missing: say what the key may sign, some of %v", api.Rights()))
	}
	if err := v.Grant.Validate(); err != nil {
		return misused(cmd, err)
	}
	act := owner.Act{Ref: owner.GrantRef(key), Change: owner.Say(&v.Grant)}
	in, err := a.replaceGrant(ctx, n, s, l, act, f.drop, &v)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := atomicfile.Write(f.out, append(in.Envelope, '\n'), 0o600); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	return a.print(v, func() {
		fmt.Fprintf(a.out, "%s may %s.\n", key, owner.GrantText(v.Grant))
		a.printAdopted(v.Adopted, v.Dropped)
		for _, w := range v.Warnings {
			fmt.Fprintf(a.out, "warning: %s\n", w)
		}
	})
}

// replaceGrant signs act, about a grant, after what would end by it was adopted.
func (a *app) replaceGrant(ctx context.Context, n *node.Node, s signer, l *ledger.Ledger, act owner.Act, drop bool, v *grantView) (intent.Signed, error) {
	in, err := s.Act(l, act, n.Now(), time.Now())
	if err != nil {
		return in, err
	}
	loss := owner.LossBy(s.pin, l, []intent.Signed{in}, n.Now())
	v.Adopted, v.Dropped = []adoptedView{}, []api.Ref{}
	if drop {
		for _, p := range loss.Programs {
			v.Dropped = append(v.Dropped, p.Ref)
		}
	} else if v.Adopted, err = a.adopt(ctx, n, s, l, loss); err != nil {
		return in, err
	}
	return in, n.SubmitSigned(ctx, in)
}

// overlaps warns of other grants for the same names, and says whose version counts.
func overlaps(all []api.GrantStatus, key keys.Public, g api.Grant) []string {
	out := []string{}
	for _, o := range all {
		same := slices.ContainsFunc(g.May, func(r api.Right) bool { return slices.Contains(o.May, r) })
		if o.Revoked || o.Key == api.KeyName(key.Key()) || !same || !strings.HasPrefix(o.Prefix, g.Prefix) && !strings.HasPrefix(g.Prefix, o.Prefix) {
			continue
		}
		names, wins := "any name", "this key's"
		if longer := max(o.Prefix, g.Prefix); longer != "" { // one begins with the other
			names = "names that begin with " + longer
		}
		if o.Since.Before(g.Since) {
			wins = "the other's"
		}
		out = append(out, fmt.Sprintf("%s has a grant for %s, too: of a name that both use, %s version counts, by the older grant", grantName(o), names, wins))
	}
	return out
}

// grantName is the holder of a grant, for people.
func grantName(g api.GrantStatus) string {
	if g.Comment != "" {
		return fmt.Sprintf("%q", oneLine(g.Comment))
	}
	return keyText(g.Key)
}

// keyText is a key by its name as realm key show prints it.
func keyText(n api.Name) string {
	pub, err := api.ParseKeyName(n)
	if err != nil {
		return string(n)
	}
	return keys.Public(pub).String()
}

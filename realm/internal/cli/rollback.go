package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/diff"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollback"
)

func newRollback(a *app) *cobra.Command {
	var f applyFlags
	var to uint64
	cmd := &cobra.Command{
		Use:   "rollback [KIND/]NAME",
		Short: "Go back to what an earlier version asked for",
		Long: `Sign again, as a new version, what an earlier version of a component or function
asked for, and wait until the members have followed. It is the last one that ran
another program, or the same one in another way; where there is none, the last one
that differs in anything, in the number of replicas for example. Where the version
that counts did not come up, it is the one that goes on in its place. --to names
another, by its number in realm history. A program that was removed comes back as it
was. What looks after the component stays the same: a manifest that asks for something
else shows that in realm diff.

With manifest/NAME every component becomes what the manifest asked for before, or as
it had the version that --to names. That has a new version, since versions never go
down; components that it did not have are removed, as by realm apply.`,
		Example: `  realm rollback ticker
  realm rollback ticker --to 3
  realm rollback manifest/shop --to 12 --yes`,
		Args:              arguments("NAME"),
		ValidArgsFunction: a.completeHistory,
	}
	fl := cmd.Flags()
	fl.Uint64Var(&to, "to", 0, "number in realm history to go back to; of a manifest its version")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and sign nothing")
	fl.BoolVar(&f.yes, "yes", false, "manifests: do not ask before something is removed or taken over")
	fl.BoolVar(&f.TakeOver, "take-over", false, "manifests: take over components that others look after now")
	f.declare(fl, "return when it is as it was")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("to") && to == 0 {
			return misused(cmd, errors.New("--to 0: numbers and versions begin with 1"))
		}
		if name, ok := strings.CutPrefix(args[0], string(api.KindManifest)+"/"); ok {
			n, err := api.ParseName(name)
			if err != nil {
				return misused(cmd, err)
			}
			return a.onNode(ctx, func(node *node.Node) error { return a.rollbackManifest(ctx, node, n, to, f) })
		}
		refs, err := parseRefs(args[0])
		if err != nil {
			return misused(cmd, err)
		}
		return a.onNode(ctx, func(n *node.Node) error { return a.rollback(ctx, n, refs, to, f) })
	})
	return cmd
}

// rollback goes back to an earlier version of the one of refs that there is.
func (a *app) rollback(ctx context.Context, n *node.Node, refs []api.Ref, to uint64, f applyFlags) error {
	pin, err := readPin(n)
	if err != nil {
		return err
	}
	ref, err := choose(ctx, n, pin, refs)
	if err != nil {
		return err
	}
	versions, err := n.History(ctx, ref)
	if err != nil {
		return err
	}
	back, err := earlier(ctx, n, versions, to)
	switch {
	case errors.Is(err, rollback.ErrCurrent):
		a.say("%s: nothing to change, number %d counts already", ref, to)
		return a.followCurrent(ctx, n, pin, ref, f.changeFlags)
	case err != nil:
		return fmt.Errorf("%s: %w: see realm history %s", ref, err, ref)
	}
	a.say("%s: back to what number %d asked for", ref, back.Seq)
	for _, line := range backText(versions, back) {
		a.say("  %s", line)
	}
	if f.dryRun {
		return a.print(viewVersion(back), func() {})
	}
	if err := mustHave(ctx, n, back, f.force); err != nil {
		return err
	}
	s, err := a.newSigner(ctx, n)
	if err != nil {
		return err
	}
	change, err := backTo(ctx, n, s, versions, back, f.force)
	if err != nil {
		return err
	}
	return a.change(ctx, n, s, ref, change, f.changeFlags)
}

// earlier is the version with the number to; 0: the last one that was good for something.
func earlier(ctx context.Context, n *node.Node, versions []api.Version, to uint64) (api.Version, error) {
	if to != 0 {
		return rollback.Number(versions, to)
	}
	instead, err := goesOn(ctx, n, versions)
	if err != nil {
		return api.Version{}, err
	}
	return rollback.Last(versions, instead)
}

// goesOn is the number of the version that members run because the one that counts has
// not come up on any; 0 where there is none.
func goesOn(ctx context.Context, n *node.Node, versions []api.Version) (number uint64, err error) {
	i := slices.IndexFunc(versions, func(v api.Version) bool { return v.State == api.VersionCurrent })
	if i < 0 {
		return 0, nil
	}
	cur := versions[i]
	s, err := n.Look(ctx, node.Scope{Ref: &cur.Ref})
	if err != nil {
		return 0, err
	}
	for _, m := range upNow(s) {
		f := s.Facts[cur.Ref][m.Peer]
		if f.Intent == cur.Digest && f.State.Reached() {
			return 0, nil
		}
		number = max(number, f.Serving)
	}
	return number, nil
}

// followCurrent waits until the version that counts is where it should be.
func (a *app) followCurrent(ctx context.Context, n *node.Node, pin trust.Pin, ref api.Ref, f changeFlags) error {
	l, err := n.Ledger(ctx, pin, ref)
	if err != nil {
		return err
	}
	cur, ok := l.Current(ref, n.Now())
	if !ok {
		return fmt.Errorf("%s: %w", ref, owner.ErrUnknown)
	}
	return a.follow(ctx, n, cur, f)
}

// backText is what a rollback changes, for people.
func backText(versions []api.Version, back api.Version) (lines []string) {
	i := slices.IndexFunc(versions, func(v api.Version) bool { return v.State == api.VersionCurrent })
	if i < 0 || versions[i].Tombstone {
		return []string{"from removed to " + owner.What(back.Intent)}
	}
	for _, c := range diff.Between(versions[i].Intent, back.Intent) {
		if c.Field != diff.FieldRestarted { // which stays
			lines = append(lines, changeText(c))
		}
	}
	return lines
}

// mustHave makes sure that somebody has the program of v, and its files, unless that does not matter.
func mustHave(ctx context.Context, n *node.Node, v api.Version, force bool) error {
	w, err := v.Workload()
	if err != nil {
		return err
	}
	return mustHaveBlobs(ctx, n, fmt.Sprintf("%s number %d", v.Ref, v.Seq), blobsOf(w), force)
}

// mustHaveBlobs is mustHave for blobs of which the first is the program.
func mustHaveBlobs(ctx context.Context, n *node.Node, what string, blobs []api.BlobInfo, force bool) error {
	if force {
		return nil
	}
	for i, b := range blobs {
		_, here, err := n.Stored(ctx, b.SHA256)
		if err != nil {
			return err
		}
		if here {
			continue
		}
		thing := "its program"
		if i > 0 {
			thing = "files that it shows"
		}
		peers, err := n.Providers(ctx, b.SHA256)
		if err == nil && len(peers) == 0 {
			err = fmt.Errorf("%s: no node is known to have %s any more (sha256 %s): push or apply it again from its file; --force signs it all the same", what, thing, b.SHA256)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blobsOf are all that a member needs to run w; the first is its program.
func blobsOf(w api.Workload) []api.BlobInfo {
	if c, ok := w.(*api.Component); ok {
		return c.Blobs()
	}
	p := w.Program()
	return []api.BlobInfo{{SHA256: p.Blob, Size: p.Size}}
}

// backTo asks for what back did. versions are those that the person was shown.
func backTo(ctx context.Context, n *node.Node, s signer, versions []api.Version, back api.Version, force bool) (owner.Change, error) {
	w, err := back.Workload()
	if err != nil {
		return nil, err
	}
	lost, err := sourceOfLost(ctx, n, s.pin, back.Ref, w)
	if err != nil {
		return nil, err
	}
	return func(cur *intent.Signed) (owner.Wanted, error) {
		if cur != nil && !force && !slices.ContainsFunc(versions, func(v api.Version) bool { return v.Digest == cur.Digest }) {
			return owner.Wanted{}, fmt.Errorf("%s has changed since this command began: number %d counts now. Nothing was signed: repeat the command", back.Ref, cur.Seq)
		}
		if c, ok := w.(*api.Component); ok {
			c.Source = lost
			if now := componentOf(cur); now != nil {
				c.Source, c.Restarted = now.Source, now.Restarted
			}
		}
		return owner.Wanted{Target: back.Target, Body: w}, nil
	}, nil
}

// sourceOfLost is who looks after a component when it is back from its removal: the
// manifest that it had, if that still asks for it.
func sourceOfLost(ctx context.Context, n *node.Node, pin trust.Pin, ref api.Ref, w api.Workload) (api.Source, error) {
	c, ok := w.(*api.Component)
	if !ok || c.Source.Manifest == "" {
		return api.Source{}, nil
	}
	l, err := n.Ledger(ctx, pin, plan.Ref(c.Source.Manifest))
	if err != nil {
		return api.Source{}, err
	}
	cur, ok := l.Current(plan.Ref(c.Source.Manifest), n.Now())
	if !ok {
		return api.Source{}, nil
	}
	if m, ok := plan.Record(cur); !ok || !lists(m, ref.Name) {
		return api.Source{}, nil
	}
	return c.Source, nil
}

func lists(m api.Manifest, n api.Name) bool {
	_, ok := m.Component(n)
	return ok
}

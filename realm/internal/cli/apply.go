package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/plan"
)

// defaultManifest is the file that apply and diff read.
const defaultManifest = "realm.toml"

// applyFlags say how a manifest is carried out.
type applyFlags struct {
	dryRun, yes bool
	plan.Options
	changeFlags
}

func newApply(a *app) *cobra.Command {
	var f applyFlags
	var file string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the mesh run what a manifest says",
		Long: `Read a manifest, a file with a table for each component that is to run, compare it
with what is wanted on the mesh now, show what would change, and sign that: new
components, changed ones, and the removal of those that the manifest had and does
not name any more. Then wait until the members have followed.

A component has one source. Those that were pushed, or that another manifest looks
after, are left alone unless with --take-over. What was scaled, stopped or removed
by hand since is put right: apply the same file again.

Each apply that changes something gives the manifest a version: the one given, or
the last one and one more. A lower one is refused, wherever it is applied from; the
last one is taken again only for the same file. On a terminal you are asked before
something is removed or taken over; without one, and with --yes, it is done.

Several persons can apply one manifest: who comes second is told what the first
has signed, and nothing is signed then, unless with --force.`,
		Example: `  realm apply                                  # realm.toml in this folder
  realm apply --file shop/realm.toml --dry-run # only show what would change
  realm apply --file realm.toml --version 12 --yes --timeout 10m`,
		Args: arguments(),
	}
	fl := cmd.Flags()
	fl.StringVar(&file, "file", defaultManifest, "the manifest")
	fl.Uint64Var(&f.Version, "version", 0, "version of the manifest (default: the last one and one more)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and sign nothing")
	fl.BoolVar(&f.yes, "yes", false, "do not ask before something is removed or taken over")
	fl.BoolVar(&f.TakeOver, "take-over", false, "take over components that were pushed, or that another manifest looks after")
	completeManifest(cmd)
	f.declare(fl, "return when everything is as the manifest says")
	f.durability.declare(fl, "each program is")
	cmd.RunE = a.bounded(func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("version") && f.Version == 0 {
			return misused(cmd, errors.New("--version 0: versions begin with 1"))
		}
		if err := f.durability.check(); err != nil {
			return misused(cmd, err)
		}
		m, err := manifest.Read(file)
		if err != nil {
			return err
		}
		return a.onNode(ctx, func(n *node.Node) error { return a.apply(ctx, n, m, f) })
	})
	return cmd
}

// completeManifest offers TOML files for --file.
func completeManifest(cmd *cobra.Command) {
	if err := cmd.MarkFlagFilename("file", "toml"); err != nil {
		panic(err) // the flag is declared
	}
}

// apply makes the mesh run what m says.
func (a *app) apply(ctx context.Context, n *node.Node, m manifest.Manifest, f applyFlags) error {
	if f.dryRun {
		return a.dryRun(ctx, n, m, f)
	}
	s, err := a.newSigner(ctx, n)
	if err != nil {
		return err
	}
	found, err := a.resolve(ctx, n, m)
	if err != nil {
		return err
	}
	defer found.finder.Close()
	if err := a.mayGive(ctx, n, s, slices.Clone(found.desired)...); err != nil {
		return err
	}
	a.warn(found.desired)
	w, err := a.survey(ctx, n, s.pin, m.Name, found.desired, f.Options)
	if err != nil {
		return err
	}
	return a.carryOut(ctx, n, s, w, found, f)
}

// carryOut does what is planned: it asks, uploads, signs and waits.
func (a *app) carryOut(ctx context.Context, n *node.Node, s signer, w work, found *programs, f applyFlags) error {
	if !a.json {
		a.printPlan(w.plan)
	}
	if err := blocked(w.plan); err != nil {
		return err
	}
	if !w.plan.Pending() {
		if err := found.upload(ctx, a, n); err != nil {
			return err
		}
		return a.follows(ctx, n, w, nil, f.changeFlags)
	}
	if err := a.confirmPlan(ctx, w.plan, f.yes); err != nil {
		return err
	}
	batch, err := n.BeginAll(s.pin, s.Signer, w.seen, w.again, w.plan.Change(), f.force)
	if err != nil {
		return err
	}
	if err := found.upload(ctx, a, n); err != nil {
		return err
	}
	signed, err := batch.Submit(ctx)
	if err != nil {
		return err
	}
	a.say("manifest %s: version %d is accepted", w.plan.Manifest, w.plan.Version)
	return a.follows(ctx, n, w, signed, f.changeFlags)
}

// confirmPlan asks before something is lost. Where nobody can answer, that the file
// does not name it is answer enough.
func (a *app) confirmPlan(ctx context.Context, p plan.Plan, yes bool) error {
	var losses []string
	if n := p.Count(plan.Remove); n > 0 {
		losses = append(losses, "removes "+plural(n, "component"))
	}
	if n := p.Count(plan.TakeOver); n > 0 {
		losses = append(losses, "takes "+plural(n, "component")+" over")
	}
	if len(losses) == 0 || !a.terminal() {
		return nil
	}
	return a.confirm(ctx, yes, fmt.Sprintf("This %s.", strings.Join(losses, " and ")))
}

// applyView is what apply and the rollback of a manifest say in JSON.
type applyView struct {
	plan.Plan
	Digest  api.Digest   `json:"digest,omitzero"` // of the manifest's intent; left out where nothing was signed
	Reached bool         `json:"reached"`
	Results []resultView `json:"results"`
}

// follows waits until everything is as w says, where signed was signed for it.
func (a *app) follows(ctx context.Context, n *node.Node, w work, signed []intent.Signed, f changeFlags) error {
	v := applyView{Plan: w.plan, Results: []resultView{}}
	var versions []intent.Signed
	for _, s := range signed {
		if s.Kind == api.KindManifest {
			v.Digest = s.Digest
			continue
		}
		versions = append(versions, s)
	}
	for _, i := range w.plan.Items {
		if i.Action == plan.Unchanged {
			versions = append(versions, *i.Current())
		}
	}
	if !f.wait || len(versions) == 0 {
		v.Reached = len(versions) == 0
		return a.print(v, func() {})
	}
	begin := time.Now()
	var failed error
	v.Results, failed = a.outcomes(ctx, n, versions, f.durability)
	v.Reached = failed == nil
	err := a.print(v, func() {
		if v.Reached {
			fmt.Fprintf(a.out, "Everything is as version %d of manifest %s says, after %.1f s\n", w.plan.Version, w.plan.Manifest, time.Since(begin).Seconds())
		}
	})
	return errors.Join(err, failed)
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/realm-mesh/realm/realm/internal/manifest"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/plan"
)

func newDiff(a *app) *cobra.Command {
	var file string
	var o plan.Options
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what applying a manifest would change",
		Long: `Compare a manifest with what is wanted on the mesh now, and show what realm apply
would change: what differs between the two, what others have changed by hand since
it was applied, and what is of another source. Nothing is signed, and no key is
needed. With --exit-code it ends with code 3 where there is something to change.`,
		Example: `  realm diff
  realm diff --file shop/realm.toml --exit-code`,
		Args: arguments(),
	}
	f := cmd.Flags()
	f.StringVar(&file, "file", defaultManifest, "the manifest")
	completeManifest(cmd)
	f.BoolVar(&o.TakeOver, "take-over", false, "show what --take-over would do")
	f.BoolVar(&exitCode, "exit-code", false, "end with code 3 where there is something to change")
	cmd.RunE = a.bounded(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		m, err := manifest.Read(file)
		if err != nil {
			return err
		}
		return a.onNode(ctx, func(n *node.Node) error {
			p, err := a.compare(ctx, n, m, o)
			if err == nil && exitCode && p.Differs() {
				return errChanges
			}
			return err
		})
	})
	return cmd
}

// compare shows what applying m would change.
func (a *app) compare(ctx context.Context, n *node.Node, m manifest.Manifest, o plan.Options) (plan.Plan, error) {
	pin, err := readPin(n)
	if err != nil {
		return plan.Plan{}, err
	}
	found, err := a.resolve(ctx, n, m)
	if err != nil {
		return plan.Plan{}, err
	}
	defer found.finder.Close()
	a.warn(found.desired)
	w, err := a.survey(ctx, n, pin, m.Name, found.desired, o)
	if err != nil {
		return plan.Plan{}, err
	}
	return w.plan, a.printComparison(w.plan)
}

func (a *app) printComparison(p plan.Plan) error {
	v := struct {
		plan.Plan
		Changes bool `json:"changes"`
	}{p, p.Differs()}
	return a.print(v, func() { a.printPlan(p) })
}

// dryRun is apply that signs nothing.
func (a *app) dryRun(ctx context.Context, n *node.Node, m manifest.Manifest, f applyFlags) error {
	p, err := a.compare(ctx, n, m, f.Options)
	if err != nil {
		return err
	}
	return blocked(p)
}

// printDry shows a plan that is not carried out.
func (a *app) printDry(p plan.Plan) error {
	if err := a.printComparison(p); err != nil {
		return err
	}
	return blocked(p)
}
